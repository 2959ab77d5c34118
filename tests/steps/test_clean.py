"""The clean step: a function of the set of records, however they came."""

from __future__ import annotations

import json
import random

import pytest

from interest_graph import tables
from interest_graph.job import run_step
from interest_graph.steps import cleaning
from interest_graph.steps.clean import STEP
from interest_graph.steps.ingest import STEP as INGEST

DAY = 86_400
START = 1_704_067_200  # 2024-01-01 UTC
SOURCE = {
    "name": "log",
    "format": "json",
    "columns": {
        "event_id": "id",
        "user_id": "u",
        "item_id": "i",
        "action": "a",
        "event_time": "t",
        "value": "v",
    },
    "actions": {"view": "view", "cart": "cart"},
    "time": {"format": "epoch_s"},
}
CLEAN = {
    "retry_seconds": 10,
    "bots": {"events_per_minute": 30},
    "session_ends_at_midnight": False,
}


def messy_log(seed: int) -> list[list[dict]]:
    """Five daily files: retry chains over midnight, late events, both kinds of duplicates, a bot."""
    draw = random.Random(seed)
    days: list[list[dict]] = [[] for _ in range(5)]
    for n in range(400):
        day = n % 5
        time = START + day * DAY + draw.choice([draw.randrange(DAY), DAY - draw.randrange(8)])
        act = {
            "id": f"e{n}",
            "u": f"u{n % 12}",
            "i": f"i{draw.randrange(4)}",
            "a": "view",
            "t": time,
        }
        copies = [
            act,
            *[{**act, "t": time + 6 * k, "id": f"e{n}r{k}"} for k in range(draw.choice([1, 1, 4]))],
        ]
        copies += [{**act, "v": k} for k in range(draw.choice([0, 0, 2]))]
        for copy in copies:
            days[min(4, day + draw.choice([0, 0, 0, 1, 2]))].append(copy)
    days[2] += [{"u": "bot", "i": str(k), "a": "view", "t": START + 2 * DAY + k} for k in range(40)]
    days[4] += [{"u": "bot", "i": "late", "a": "cart", "t": START + 2 * DAY + 5}]
    days[3] += [
        {"u": "", "i": "1", "a": "zap", "t": "x"},
        {"u": "u1", "i": "1", "a": "view", "t": 4e9},
    ]
    return days


@pytest.fixture
def clean(open_job, tmp_path):
    """clean(files of one batch): writes them, ingests, cleans; returns the job."""

    def run(batch, *, warehouse=None, **settings):
        inbox = tmp_path / f"in{warehouse or ''}"
        inbox.mkdir(exist_ok=True)
        for name, lines in batch.items():
            (inbox / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
        sections = {"sources": [{**SOURCE, "path": str(inbox)}], "clean": {**CLEAN, **settings}}
        if warehouse:
            sections["warehouse"] = {"table_root": str(tmp_path / warehouse)}
        job = open_job(**sections)
        run_step(job, INGEST)
        run_step(job, STEP)
        return job

    return run


def contents(job):
    rows = job.store.read(tables.INTERACTIONS).collect()
    return sorted((tuple(row) for row in rows), key=str)


def test_daily_batches_give_what_one_shuffled_batch_gives(clean):
    days = messy_log(1)
    for n, lines in enumerate(days):
        daily = clean({f"day{n}.json": lines}, warehouse="daily")
    everything = [line for lines in days for line in lines]
    random.Random(2).shuffle(everything)

    single = clean({"b.json": everything[::2], "a.json": everything[1::2]}, warehouse="single")

    assert contents(daily) == contents(single)
    assert single.rows["rows_in"] == len(everything)
    reasons = {name for name, n in single.rows.items() if n}
    assert {"dropped.duplicate_id", "dropped.duplicate_event", "dropped.retry"} <= reasons
    assert single.rows["dropped.events_per_minute"] == 41
    assert single.rows["quarantined"] == 2
    dropped = sum(n for name, n in single.rows.items() if name.startswith("dropped."))
    assert single.rows["rows_in"] == single.rows["kept"] + dropped + single.rows["quarantined"]


def test_a_run_reads_and_writes_the_days_concerned_alone(clean, spark):
    settings = {"retry_seconds": 0, "session_ends_at_midnight": True}
    one = {"u": "u", "i": "1", "a": "view", "t": START}
    for n in range(3):
        clean({f"day{n}.json": [{**one, "t": START + n * DAY}]}, **settings)

    job = clean({"late.json": [{**one, "t": START + DAY + 60}]}, **settings)

    assert (job.rows["rows_in"], job.rows["rows_in.again"], job.rows["kept"]) == (2, 1, 2)
    history = spark.sql(
        f"DESCRIBE HISTORY delta.`{job.store.location(tables.INTERACTIONS)}`"
    ).first()
    assert history.operationParameters["predicate"].count("2024-01-0") == 1
    assert len(contents(job)) == 4
    sessions = {row[-3] for row in contents(job)}
    assert len(sessions) == 3


def test_nothing_new_changes_nothing_and_new_settings_clean_all_again(clean):
    batch = {"a.json": [{"u": "u", "i": "1", "a": "view", "t": START + 700 * k} for k in range(4)]}
    first = clean(batch)
    version = first.store.version(tables.INTERACTIONS)

    again = clean(batch)
    assert again.store.version(tables.INTERACTIONS) == version
    assert again.rows == {"rows_in": 0, "quarantined": 0, "kept": 0}

    split = clean(batch, session_gap_minutes=10)
    assert len({row.session_id for row in split.store.read(tables.INTERACTIONS).collect()}) == 4


def test_low_support_is_dropped_until_later_events_raise_it(clean):
    one = {"u": "u", "i": "1", "a": "view", "t": START}
    other = {**one, "u": "v"}
    settings = {"min_user_events": 2}

    first = clean({"a.json": [one, other, {**other, "t": START + 60}]}, **settings)
    assert (first.rows["kept"], first.rows["dropped.low_user_support"]) == (2, 1)

    second = clean({"b.json": [{**one, "t": START + DAY}]}, **settings)
    assert (second.rows["kept"], len(contents(second))) == (4, 4)


def test_a_crash_before_the_account_is_settled_is_made_good(clean, monkeypatch):
    days = messy_log(3)
    clean({"day0.json": days[0]})

    def crash(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(cleaning, "settle", crash)
        with pytest.raises(KeyboardInterrupt):
            clean({"day1.json": days[1]})
    crashed = clean({})

    undisturbed = clean({"day0.json": days[0], "day1.json": days[1]}, warehouse="other")
    assert contents(crashed) == contents(undisturbed)
