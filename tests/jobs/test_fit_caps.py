"""Fitted caps: to clean a setting, whichever batches the records come in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from interest_graph import tables
from interest_graph.errors import ConfigError
from interest_graph.job import Run
from interest_graph.jobs.clean import JOB as CLEAN
from interest_graph.jobs.clean import clean_plan
from interest_graph.jobs.fit_caps import JOB as FIT

DAY, START = 86_400, 1_704_067_200  # 2024-01-01 UTC
START_TS = datetime.fromtimestamp(START, UTC)
COLUMNS = {"user_id": "u", "item_id": "i", "action": "a", "event_time": "t", "value": "v"}
SOURCE = {
    "name": "log",
    "format": "json",
    "path": "in",
    "columns": COLUMNS,
    "time": {"format": "epoch_s"},
}
RULES = {"purchase": {"quantile": 0.9}}


@pytest.fixture
def open_caps(open_pipeline):
    """open_caps(rules): a pipeline with these caps to fit."""

    def make(rules=RULES, **options):
        return open_pipeline(sources=[SOURCE], clean={"fitted_caps": rules}, **options)

    return make


def purchases(day, prices):
    """One purchase an hour of the day, by users of their own."""
    return [
        (f"u{day}.{n:02}", "i", "purchase", START + day * DAY + 3600 * n, price)
        for n, price in enumerate(prices)
    ]


def take_in(pipeline, batches, pending=()):
    """Enter batches of records in bronze.events and bronze.files, whatever the ingest step does."""
    columns = ", ".join(f"{name} STRING" for name in COLUMNS)
    rows = [
        ("log", "/f", n, *map(str, record), True, batch, None, None, None)
        for batch, records in batches.items()
        for n, record in enumerate(records)
    ]
    extra = "is_readable BOOLEAN, batch_id STRING, event_id STRING, payload STRING"
    shape = f"source STRING, file STRING, position BIGINT, {columns}, {extra}, user_agent STRING"
    pipeline.store.append(tables.EVENTS, pipeline.spark.createDataFrame(rows, shape))
    ledger = [
        (
            "log",
            batch,
            1,
            START_TS,
            batch,
            "pending" if batch in pending else "done",
            len(records),
            None,
        )
        for batch, records in batches.items()
    ]
    pipeline.store.append(tables.FILES, pipeline.spark.createDataFrame(ledger, tables.FILES.schema))


def due(pipeline):
    """The batches that clean would clean."""
    run = Run(CLEAN, pipeline.settings, pipeline.spark, pipeline.as_of)
    run.settings = clean_plan.with_caps(run)
    return set(clean_plan.batches_to_clean(run, None).new)


def test_all_batches_meet_the_cap_fitted_as_of_a_date_until_it_is_fitted_anew(open_caps):
    prices = [*range(1, 20), 1_000_000]
    days = {"day0": purchases(0, prices), "day1": purchases(1, [5, 5000, 18])}
    take_in(open_caps(), days)
    open_caps(as_of=START_TS + timedelta(hours=20)).run(FIT)
    pipeline = open_caps()
    pipeline.run(CLEAN)

    (cap,) = pipeline.store.read(tables.VALUE_CAPS).collect()
    assert (cap.cap, cap.n_values, cap.n_above, cap.highest) == (18, 20, 2, 1_000_000)
    facts = {row.user_id: row.value for row in pipeline.store.read(tables.INTERACTIONS).collect()}
    records = [record for batch in days.values() for record in batch]
    assert facts == {user: min(price, 18) for user, *_, price in records}
    assert due(open_caps()) == set()

    open_caps().run(FIT, force=True)
    assert due(open_caps()) == set(days)


def test_a_cap_that_cannot_be_is_one_clear_line(open_caps):
    pipeline = open_caps()
    batches = {"done": purchases(0, [5, 5, 5, 5, 5, 9]), "pending": purchases(1, range(20))}
    take_in(pipeline, batches, pending=["pending"])

    for job, rules, message in [
        (CLEAN, RULES, r'fitted_caps.purchase: {"quantile":0.9} has not been fitted; the fit_caps'),
        (FIT, {}, r"^clean.fitted_caps: names no action"),
        (FIT, {"view": RULES["purchase"]}, r"view: no accepted record of this action has a value"),
        (FIT, {"purchase": {"fence": 3}}, r"purchase: at least half of the values are equal"),
    ]:
        with pytest.raises(ConfigError, match=message):
            open_caps(rules).run(job, force=True)
    assert not pipeline.store.exists(tables.VALUE_CAPS)
    assert not pipeline.store.exists(tables.INTERACTIONS)

    open_caps().run(FIT, force=True)
    with pytest.raises(ConfigError, match=r'{"quantile":0.5} has not been fitted'):
        open_caps({"purchase": {"quantile": 0.5}}).run(CLEAN)
