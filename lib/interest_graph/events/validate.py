"""Validation rules for records, declared as SQL predicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from interest_graph.config import CleanConfig

_MAX_ID_LENGTH = 512  # longer ids are run-together lines


@dataclass(frozen=True)
class Rule:
    """A validation rule: records for which the SQL predicate `broken` is true get `reason`.

    column: the column that the rule checks; severity: refuse sends such records to quarantine, warn
    only counts them.
    """

    column: str
    broken: str
    reason: str
    severity: str = "refuse"


def rules_of(config: CleanConfig, as_of: datetime) -> list[Rule]:
    """All rules: the built-in ones, then those declared in the settings."""
    return [*built_in_rules(config, as_of), *declared_rules(config)]


def built_in_rules(config: CleanConfig, as_of: datetime) -> list[Rule]:
    """The built-in rules, for the columns that `type_events` returns; as_of bounds future times."""
    latest = as_of + timedelta(minutes=config.clock_skew_minutes)
    after = f"event_ts > TIMESTAMP '{latest:%Y-%m-%d %H:%M:%S} UTC'"
    return [
        Rule("payload", "NOT is_readable", "unreadable"),
        *[Rule(c, f"is_readable AND {c} IS NULL", f"missing_{c}") for c in ("user_id", "item_id")],
        *[Rule(c, f"length({c}) > {_MAX_ID_LENGTH}", f"long_{c}") for c in ("user_id", "item_id")],
        Rule("action", "is_readable AND action IS NULL AND _action IS NULL", "missing_action"),
        Rule("action", "action IS NULL AND _action IS NOT NULL", "unknown_action"),
        Rule(
            "event_time", "is_readable AND event_time IS NULL AND event_ts IS NULL", "missing_time"
        ),
        Rule("event_time", "event_time IS NOT NULL AND event_ts IS NULL", "bad_time"),
        Rule("event_time", after, "future_time"),
        Rule("event_time", f"event_date < DATE '{config.oldest:%Y-%m-%d}'", "ancient_time"),
        Rule("value", "_value IS NOT NULL AND (value IS NULL OR isnan(value))", "bad_value"),
        Rule("value", "value < 0", "negative_value"),
        *_bounds(config),
    ]


def declared_rules(config: CleanConfig) -> list[Rule]:
    """The rules of the setting clean.rules."""
    return [Rule(r.column, f"NOT ({r.must})", r.reason, r.severity) for r in config.rules]


def is_broken(rules: Sequence[Rule]) -> Column:
    """Whether a record breaks any refusing rule; never null."""
    refusing = [rule for rule in rules if rule.severity == "refuse"]
    return reduce(or_, (_holds(rule) for rule in refusing), F.lit(False))


def reasons_of(rules: Sequence[Rule]) -> Column:
    """The reasons of every refusing rule that a record breaks, in the rules' order."""
    refusing = [rule for rule in rules if rule.severity == "refuse"]
    return F.array_compact(F.array(*[F.when(_holds(r), F.lit(r.reason)) for r in refusing]))


def warnings_of(rules: Sequence[Rule]) -> dict[str, Column]:
    """Reason -> whether a record breaks any warning rule of that reason; never null."""
    warning = [rule for rule in rules if rule.severity == "warn"]
    reasons = dict.fromkeys(rule.reason for rule in warning)
    return {
        reason: reduce(or_, (_holds(rule) for rule in warning if rule.reason == reason))
        for reason in reasons
    }


def with_refusals(typed: DataFrame, rules: Sequence[Rule]) -> DataFrame:
    """Add `_refusal`: the row of silver.quarantine of a record that breaks a rule, else null.

    Spark evaluates its columns for those records only, and does not decode the payload of others.
    """
    texts = [F.col("_action").alias("action"), F.col("_value").alias("value")]
    ids = ["event_id", "user_id", "item_id", "event_time", "user_agent", "payload"]
    record = F.to_json(F.struct(*ids, *texts))
    payload = F.when(F.col("is_readable"), record).otherwise(F.col("payload"))
    reasons = reasons_of(rules).alias("reasons")
    refusal = F.struct("source", "file", "position", reasons, payload.alias("payload"), "batch_id")
    return typed.withColumn("_refusal", F.when(is_broken(rules), refusal))


def accepted(typed: DataFrame, rules: Sequence[Rule], config: CleanConfig) -> DataFrame:
    """Records that break no rule, with the columns of interactions; values are capped."""
    return typed.where(~is_broken(rules)).select(
        "source",
        "event_id",
        "user_id",
        "item_id",
        "action",
        "event_ts",
        "event_date",
        _capped(config).alias("value"),
        "user_agent",
    )


def _holds(rule: Rule) -> Column:
    return F.coalesce(F.expr(f"({rule.broken})"), F.lit(False))


def _bounds(config: CleanConfig) -> list[Rule]:
    return [
        Rule(
            "value",
            f"action = '{_quoted(action)}' AND value NOT BETWEEN {low!r} AND {high!r}",
            "value_out_of_bounds",
        )
        for action, (low, high) in sorted(config.value_bounds.items())
    ]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _capped(config: CleanConfig) -> Column:
    value = F.col("value")
    for action, cap in sorted(config.value_caps.items()):
        is_over = (F.col("action") == action) & (F.col("value") > cap)
        value = F.when(is_over, F.lit(cap)).otherwise(value)
    return value
