"""The clean step: a function of the set of records, however they came."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from interest_graph import tables
from interest_graph.config import Settings
from interest_graph.jobs.clean import JOB, clean_plan
from interest_graph.pipeline import Pipeline

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
FIELDS = list(SOURCE["columns"].values())
CLEAN = {
    "retry_seconds": 10,
    "bots": {"events_per_minute": 30},
    "session_ends_at_midnight": False,
}


def messy_log(seed: int) -> list[list[dict]]:
    """Three daily batches: retry chains over midnight, late events, duplicates, a bot."""
    draw = random.Random(seed)
    days: list[list[dict]] = [[] for _ in range(3)]
    for n in range(300):
        day = n % 3
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
            days[min(2, day + draw.choice([0, 0, 0, 1, 2]))].append(copy)
    days[1] += [{"u": "bot", "i": str(k), "a": "view", "t": START + DAY + k} for k in range(40)]
    days[2] += [{"u": "bot", "i": "late", "a": "cart", "t": START + DAY + 5}]
    days[2] += [
        {"u": "", "i": "1", "a": "zap", "t": "x"},
        {"u": "u1", "i": "1", "a": "view", "t": 4e9},
    ]
    return days


DAYS = messy_log(1)


def sections(**settings):
    return {"sources": [{**SOURCE, "path": "in"}], "clean": {**CLEAN, **settings}}


@pytest.fixture
def clean(open_pipeline):
    """clean(records of each batch): enters them as ingest does, cleans; returns the job."""

    def run(batches, **settings):
        pipeline = open_pipeline(**sections(**settings))
        if batches:
            take_in(pipeline, batches)
        pipeline.run(JOB)
        return pipeline

    return run


def take_in(pipeline, batches):
    """Enter batches of records in bronze.events and bronze.files, whatever the ingest step does."""
    records = [
        ("log", f"/{batch}", position, *[_text(line.get(field)) for field in FIELDS], batch)
        for batch, lines in batches.items()
        for position, line in enumerate(lines)
    ]
    texts = ", ".join(f"{column} STRING" for column in SOURCE["columns"])
    columns = f"source STRING, file STRING, position BIGINT, {texts}, batch_id STRING"
    frame = pipeline.spark.createDataFrame(records, columns).selectExpr(
        "*",
        "true AS is_readable",
        "cast(null AS string) AS payload",
        "cast(null AS string) AS user_agent",
    )
    pipeline.store.append(tables.EVENTS, frame)
    listed = [
        ("log", f"/{batch}", 1, datetime(2024, 1, 1), batch, "done", len(lines), None)
        for batch, lines in batches.items()
    ]
    pipeline.store.append(tables.FILES, pipeline.spark.createDataFrame(listed, tables.FILES.schema))


def _text(value):
    return None if value is None else str(value)


def contents(pipeline):
    rows = pipeline.store.read(tables.INTERACTIONS).collect()
    return sorted((tuple(row) for row in rows), key=str)


@pytest.fixture(scope="module")
def undisturbed(spark, tmp_path_factory):
    """The job that cleaned all days in one batch, in no order."""
    tree = {"warehouse": {"table_root": str(tmp_path_factory.mktemp("undisturbed"))}, **sections()}
    pipeline = Pipeline(Settings.model_validate(tree), spark, datetime(2024, 1, 31, tzinfo=UTC))
    everything = [line for lines in DAYS for line in lines]
    random.Random(2).shuffle(everything)
    take_in(pipeline, {"all": everything})
    pipeline.run(JOB)
    return pipeline


def test_every_record_is_accounted_for(undisturbed):
    rows = undisturbed.rows
    dropped = {name: n for name, n in rows.items() if name.startswith("dropped.")}

    assert (rows["rows_in"], rows["quarantined"]) == (sum(map(len, DAYS)), 2)
    assert rows["dropped.events_per_minute"] == 41
    assert all(dropped[f"dropped.{kind}"] for kind in ("duplicate_id", "duplicate_event", "retry"))
    assert rows["rows_in"] == rows["kept"] + sum(dropped.values()) + rows["quarantined"]


def test_daily_batches_give_what_one_shuffled_batch_gives(clean, undisturbed):
    for n, lines in enumerate(DAYS):
        daily = clean({f"day{n}": lines})

    assert contents(daily) == contents(undisturbed)


def test_a_run_reads_and_writes_the_periods_concerned_alone(clean, spark):
    settings = {"retry_seconds": 0, "session_ends_at_midnight": True}
    one = {"u": "u", "i": "1", "a": "view", "t": START}
    clean({f"month{n}": [{**one, "t": START - n * 31 * DAY}] for n in range(3)}, **settings)

    pipeline = clean({"late": [{**one, "t": START - 31 * DAY + 60}]}, **settings)

    assert (
        pipeline.rows["rows_in"],
        pipeline.rows["rows_in.again"],
        pipeline.rows["kept"],
    ) == (
        2,
        1,
        2,
    )
    history = spark.sql(
        f"DESCRIBE HISTORY delta.`{pipeline.store.location(tables.INTERACTIONS)}`"
    ).first()
    assert history.operationParameters["predicate"] == "event_period IN ('2023-12')"
    before = contents(pipeline)
    assert (len(before), len({row[-3] for row in before})) == (4, 3)

    bad = clean({"bad": [{**one, "a": "zap"}]}, **settings)
    assert (bad.rows["quarantined"], bad.rows["kept"], contents(bad)) == (
        1,
        0,
        before,
    )


def test_each_batch_is_entered_with_its_days_and_refused_records(clean):
    one = {"u": "u", "i": "1", "a": "view", "t": START}
    bad, next_day = {**one, "a": "zap"}, {**one, "t": START + DAY}

    pipeline = clean({"a": [one, bad], "b": [next_day, one, bad, bad]})

    rows = pipeline.store.read(tables.BATCHES).collect()
    entries = {r.batch_id: ([day.day for day in r.days], r.n_records, r.n_refused) for r in rows}
    assert entries == {"a": ([1], 2, 1), "b": ([1, 2], 4, 2)}


def test_same_items_are_sought_again_only_when_items_or_settings_have_changed(clean, open_pipeline):
    def write_items(*titles):
        rows = [(str(n), title, title, [], {}) for n, title in enumerate(titles)]
        pipeline = open_pipeline()
        frame = pipeline.spark.createDataFrame(rows, tables.ITEMS.schema)
        pipeline.store.replace(tables.ITEMS, frame)

    def cleaned(batches, **settings):
        pipeline = clean(batches, **settings)
        aliases = pipeline.store.read(tables.ITEM_ALIASES).collect()
        return pipeline.store.version(tables.ITEM_ALIASES), {
            (r.item_id, r.canonical_id) for r in aliases
        }

    write_items("a small red bicycle", "a small red bicycle!", "lamp")
    first, aliases = cleaned({"a": [{"u": "u", "i": "1", "a": "view", "t": START}]}, same_items={})
    assert aliases == {("1", "0")}
    assert cleaned({}, same_items={}) == (first, aliases)

    write_items("a small red bicycle", "a small red bicycle!", "a lamp", "a lamp!")
    second, aliases = cleaned({}, same_items={})
    assert (second > first, aliases) == (True, {("1", "0"), ("3", "2")})
    assert cleaned({}, same_items={"jaccard": 0.99})[0] > second


def test_nothing_new_changes_nothing_and_new_settings_clean_all_again(clean):
    batch = {"a": [{"u": "u", "i": "1", "a": "view", "t": START + 700 * k} for k in range(4)]}
    first = clean(batch)
    version = first.store.version(tables.INTERACTIONS)

    again = clean({})
    assert again.store.version(tables.INTERACTIONS) == version
    assert again.rows == {"rows_in": 0, "quarantined": 0, "kept": 0}

    split = clean({}, session_gap_minutes=10)
    assert len({row.session_id for row in split.store.read(tables.INTERACTIONS).collect()}) == 4


def test_a_run_that_another_one_overtakes_loses_nothing(clean, undisturbed, monkeypatch):
    clean({"day0": DAYS[0]})
    region_of, calls = clean_plan.region_of, []

    def overtaken(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            clean({"day2": DAYS[2]})
        return region_of(*arguments)

    monkeypatch.setattr(clean_plan, "region_of", overtaken)
    pipeline = clean({"day1": DAYS[1]})

    assert len(calls) > 2
    assert contents(pipeline) == contents(undisturbed)


def test_times_are_stored_as_whole_numbers_that_readers_can_skip_by(undisturbed):
    folder = Path(undisturbed.store.location(tables.INTERACTIONS))
    metadata = pq.ParquetFile(next(folder.glob("*/*.parquet"))).metadata
    chunks = metadata.row_group(0).to_dict()["columns"]
    (event_ts,) = [chunk for chunk in chunks if chunk["path_in_schema"] == "event_ts"]

    assert (event_ts["physical_type"], event_ts["has_dictionary_page"]) == ("INT64", False)


def test_low_support_is_dropped_until_later_events_raise_it(clean):
    one = {"u": "u", "i": "1", "a": "view", "t": START}
    other = {**one, "u": "v"}
    settings = {"min_user_events": 2}

    first = clean({"a": [one, other, {**other, "t": START + 60}]}, **settings)
    assert (first.rows["kept"], first.rows["dropped.low_user_support"]) == (2, 1)

    second = clean({"b": [{**one, "t": START + DAY}]}, **settings)
    assert (second.rows["kept"], len(contents(second))) == (4, 4)


def test_a_crash_before_batches_are_recorded_is_repaired_by_the_next_run(
    clean, undisturbed, monkeypatch
):
    clean({"day0": DAYS[0], "day2": DAYS[2]})

    def crash(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(clean_plan, "record_batches", crash)
        with pytest.raises(KeyboardInterrupt):
            clean({"day1": DAYS[1]})

    assert contents(clean({})) == contents(undisturbed)
