"""bronze.events -> silver.value_caps: caps of values that clean applies from now on.

A step of its own: caps that cleaning fitted to whatever had come by then would make facts depend on
how the records were cut into batches. To clean, a fitted cap is a setting like any other, so new
caps clean everything again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.errors import ConfigError
from interest_graph.events.caps import fit_caps, text_of
from interest_graph.events.ledger import DONE
from interest_graph.events.typed import type_events
from interest_graph.events.validate import accepted
from interest_graph.job import Job, Step
from interest_graph.steps import cleaning

_KEY = "clean.fitted_caps"


def run(job: Job) -> None:
    """Fit the cap of every action that the settings name, to all records up to the as-of time."""
    rules = job.settings.clean.fitted_caps
    if not rules:
        raise ConfigError(_KEY, "names no action, so there is nothing to fit")
    with job.phase("fitting caps"):
        fitted = fit_caps(_records(job), rules).withColumn("fitted_as_of", F.lit(job.as_of))
        rows = fitted.select(*tables.VALUE_CAPS.column_names).collect()  # one an action
    _require_spread(rules.keys(), rows)
    frame = job.spark.createDataFrame(rows, tables.VALUE_CAPS.schema)
    job.store.replace(tables.VALUE_CAPS, frame)
    for row in sorted(rows):
        job.count(f"{row['action']}.values", row["n_values"])
        job.count(f"{row['action']}.above_cap", row["n_above"])


def with_fitted_caps(job: Job) -> Job:
    """The job with fitted caps among its fixed ones. Raises ConfigError for one not fitted."""
    clean = job.settings.clean
    if not clean.fitted_caps:
        return job
    table = job.read_if_written(tables.VALUE_CAPS)
    fitted = {row["action"]: row for row in table.collect()} if table is not None else {}
    for action, rule in clean.fitted_caps.items():
        if action not in fitted or fitted[action]["rule"] != text_of(rule):
            problem = f"{text_of(rule)} has not been fitted; the fit_caps job does that"
            raise ConfigError(f"{_KEY}.{action}", problem)
    caps = {action: fitted[action]["cap"] for action in clean.fitted_caps}
    capped = clean.model_copy(update={"value_caps": {**clean.value_caps, **caps}})
    return replace(job, settings=job.settings.model_copy(update={"clean": capped}))


def _records(job: Job) -> DataFrame:
    """What clean would accept of the batches that are whole, with values as received."""
    sources = cleaning.event_sources(job)
    ledger = job.read(tables.FILES).where(F.col("status") == DONE)
    whole = ledger.select("batch_id").distinct()
    events = job.read(tables.EVENTS).where(F.col("source").isin([s.name for s in sources]))
    typed = type_events(events.join(F.broadcast(whole), "batch_id", how="left_semi"), sources)
    uncapped = job.settings.clean.model_copy(update={"value_caps": {}})
    return accepted(typed, cleaning.rules_of(job), uncapped)


def _require_spread(actions: Iterable[str], rows: Sequence[Row]) -> None:
    fitted = {row["action"]: row for row in rows}
    for action in actions:
        if action not in fitted:
            raise ConfigError(f"{_KEY}.{action}", "no accepted record of this action has a value")
        row = fitted[action]
        if "fence" in row["rule"] and row["lower_quartile"] == row["upper_quartile"]:
            problem = "at least half of the values are equal, so there is no fence; use a quantile"
            raise ConfigError(f"{_KEY}.{action}", problem)


STEP = Step(
    name="fit_caps",
    run=run,
    reads=(tables.EVENTS, tables.FILES),
    writes=(tables.VALUE_CAPS,),
    settings=("clean", "sources"),
)
