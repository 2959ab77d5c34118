"""Fitted caps: to clean a setting, whichever batches the records come in."""

from __future__ import annotations

from datetime import datetime

import pytest

from interest_graph import tables
from interest_graph.errors import ConfigError
from interest_graph.steps import cleaning
from interest_graph.steps.clean import STEP as CLEAN
from interest_graph.steps.fit_caps import STEP as FIT
from interest_graph.steps.fit_caps import with_fitted_caps

pytestmark = pytest.mark.usefixtures("interpreted")

DAY, START = 86_400, 1_704_067_200  # 2024-01-01 UTC
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
def pipeline(open_job):
    """pipeline(rules): a job with these caps to fit."""

    def make(rules=RULES):
        return open_job(sources=[SOURCE], clean={"fitted_caps": rules})

    return make


def purchases(day, prices):
    """One purchase an hour of the day, by users of their own."""
    return [
        (f"u{day}.{n:02}", "i", "purchase", START + day * DAY + 3600 * n, price)
        for n, price in enumerate(prices)
    ]


def take_in(job, batch, records, status="done"):
    columns = ", ".join(f"{name} STRING" for name in COLUMNS)
    rows = [
        ("log", "/f", n, *map(str, record), True, batch, None, None, None)
        for n, record in enumerate(records)
    ]
    extra = "is_readable BOOLEAN, batch_id STRING, event_id STRING, payload STRING"
    shape = f"source STRING, file STRING, position BIGINT, {columns}, {extra}, user_agent STRING"
    job.store.append(tables.EVENTS, job.spark.createDataFrame(rows, shape))
    entry = ("log", batch, 1, datetime(2024, 1, 1), batch, status, len(records))
    job.store.append(tables.FILES, job.spark.createDataFrame([entry], tables.FILES.schema))


def due(job):
    """The batches that clean would clean."""
    return set(cleaning.batches_to_clean(with_fitted_caps(job), None).new)


def test_later_batches_meet_the_cap_that_was_fitted_until_it_is_fitted_anew(pipeline):
    prices = [*range(1, 20), 1_000_000]
    days = [purchases(0, prices), purchases(1, [5, 5000, 18])]
    take_in(pipeline(), "day0", days[0])
    FIT.run(pipeline())
    take_in(pipeline(), "day1", days[1])
    CLEAN.run(job := pipeline())

    (cap,) = job.store.read(tables.VALUE_CAPS).collect()
    assert (cap.cap, cap.n_values, cap.n_above, cap.highest) == (18, 20, 2, 1_000_000)
    facts = {row.user_id: row.value for row in job.store.read(tables.INTERACTIONS).collect()}
    assert facts == {user: min(price, 18) for day in days for user, *_, price in day}

    take_in(job, "day2", purchases(2, range(100, 120)))
    assert due(pipeline()) == {"day2"}

    FIT.run(pipeline())
    assert due(pipeline()) == {"day0", "day1", "day2"}


def test_a_cap_that_cannot_be_is_one_clear_line(pipeline):
    job = pipeline()
    take_in(job, "b", purchases(0, [5, 5, 5, 5, 5, 9]))
    take_in(job, "pending", purchases(1, range(20)), status="pending")

    for step, rules, message in [
        (CLEAN, RULES, r'fitted_caps.purchase: {"quantile":0.9} has not been fitted; the fit_caps'),
        (FIT, {}, r"^clean.fitted_caps: names no action"),
        (FIT, {"view": RULES["purchase"]}, r"view: no accepted record of this action has a value"),
        (FIT, {"purchase": {"fence": 3}}, r"purchase: at least half of the values are equal"),
    ]:
        with pytest.raises(ConfigError, match=message):
            step.run(pipeline(rules))
    assert not job.store.exists(tables.VALUE_CAPS)
    assert not job.store.exists(tables.INTERACTIONS)

    FIT.run(pipeline())
    with pytest.raises(ConfigError, match=r'{"quantile":0.5} has not been fitted'):
        CLEAN.run(pipeline({"purchase": {"quantile": 0.5}}))
