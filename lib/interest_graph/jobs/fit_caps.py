"""bronze.events -> silver.value_caps: fit the caps of values that clean then applies.

A separate job, because caps fitted during cleaning would depend on which batches had arrived by
then, and interactions with them. For clean a fitted cap is like a setting: when caps change, all
records are cleaned anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.errors import ConfigError
from interest_graph.events.caps import FITTED_CAPS, fit_caps
from interest_graph.events.clean_records import accepted_values
from interest_graph.events.sources import DONE
from interest_graph.job import Job, Run


def run(run: Run) -> None:
    """Fit the cap of every action that the settings name, to all records up to the as-of time."""
    rules = run.settings.clean.fitted_caps
    if not rules:
        raise ConfigError(FITTED_CAPS, "names no action, so there is nothing to fit")
    with run.phase("fitting caps"):
        fitted = fit_caps(_records(run), rules).withColumn("fitted_as_of", F.lit(run.as_of))
        rows = fitted.select(*tables.VALUE_CAPS.column_names).collect()  # one an action
    _require_spread(rules.keys(), rows)
    frame = run.spark.createDataFrame(rows, tables.VALUE_CAPS.schema)
    run.store.replace(tables.VALUE_CAPS, frame)
    for row in sorted(rows):
        run.count(f"{row['action']}.values", row["n_values"])
        run.count(f"{row['action']}.above_cap", row["n_above"])


def _records(run: Run) -> DataFrame:
    """The values of completely ingested batches' records that clean would accept, uncapped."""
    sources = run.settings.event_sources
    for source in sources:
        if source.bronze == "reference":
            problem = "fit_caps reads bronze, which keeps no records of this source"
            raise ConfigError(f"sources.{source.name}.bronze", problem)
    ledger = run.read(tables.FILES).where(F.col("status") == DONE)
    whole = ledger.select("batch_id").distinct()
    events = run.read(tables.EVENTS).where(F.col("source").isin([s.name for s in sources]))
    held = events.join(F.broadcast(whole), "batch_id", how="left_semi")
    return accepted_values(held, run.settings, run.as_of)


def _require_spread(actions: Iterable[str], rows: Sequence[Row]) -> None:
    fitted = {row["action"]: row for row in rows}
    for action in actions:
        if action not in fitted:
            raise ConfigError(
                f"{FITTED_CAPS}.{action}", "no accepted record of this action has a value"
            )
        row = fitted[action]
        if "fence" in row["rule"] and row["lower_quartile"] == row["upper_quartile"]:
            problem = "at least half of the values are equal, so there is no fence; use a quantile"
            raise ConfigError(f"{FITTED_CAPS}.{action}", problem)


JOB = Job(
    name="fit_caps",
    help="fits robust caps of values, which clean applies from then on",
    run=run,
    reads=(tables.EVENTS, tables.FILES),
    writes=(tables.VALUE_CAPS,),
    settings=("clean", "sources"),
)
