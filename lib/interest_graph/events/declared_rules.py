"""The rules of clean.rules: SQL predicates over the typed columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from interest_graph.config.clean import RuleConfig
from interest_graph.config.rule_sql import RULE_COLUMNS, rule_database
from interest_graph.errors import DataError

if TYPE_CHECKING:
    import duckdb

Flags = npt.NDArray[np.bool_]


def declared_rules(
    typed: pa.Table, rules: list[RuleConfig], by_spark: Mapping[int, pa.BooleanArray]
) -> list[tuple[RuleConfig, Flags]]:
    """Each rule, and which records break it: bool[n]; a predicate that is null breaks nothing.

    typed: from `type_records`; by_spark: for each place in `rules` of a rule with engine spark,
    which records break it. Raises DataError if a predicate fails on a record.
    """
    if not rules:
        return []
    db, columns = rule_database(), _columns(typed)
    broken = [
        _flags(by_spark[n], len(typed)) if rule.engine == "spark" else _broken(db, n, rule, columns)
        for n, rule in enumerate(rules)
    ]
    db.close()
    return list(zip(rules, broken, strict=True))


def _flags(broken: pa.BooleanArray, n: int) -> Flags:
    if len(broken) != n:
        raise ValueError(f"{len(broken)} truth values for {n} records")
    flags: Flags = broken.fill_null(False).to_numpy(zero_copy_only=False)
    return flags


def _columns(typed: pa.Table) -> pa.Table:
    """The columns that predicates can name, and the position."""
    micros = typed["micros"].cast(pa.timestamp("us"))
    with_time = typed.append_column("event_ts", micros)
    return with_time.select([*RULE_COLUMNS, "position"])


def _broken(
    db: duckdb.DuckDBPyConnection, number: int, rule: RuleConfig, records: pa.Table
) -> Flags:
    import duckdb

    try:
        return _evaluated(db, rule.must, records)
    except duckdb.Error as error:
        position = _first_failing(db, rule.must, records)
        raise DataError(
            f"source {records['source'][0]}: clean.rules.{number}.must fails on the record at "
            f"position {position} ({str(error).splitlines()[0]}); TRY_CAST gives null instead"
        ) from None


def _evaluated(db: duckdb.DuckDBPyConnection, must: str, records: pa.Table) -> Flags:
    db.register("typed", records)
    query = f"SELECT coalesce(NOT (\n{must}\n), false) AS broken FROM typed"
    broken = db.execute(query).fetchnumpy()["broken"]
    db.unregister("typed")
    return np.asarray(broken, bool)


def _first_failing(db: duckdb.DuckDBPyConnection, must: str, records: pa.Table) -> int:
    """The position of the first record on which the predicate fails, found by halving."""
    import duckdb

    while len(records) > 1:
        half = len(records) // 2
        try:
            _evaluated(db, must, records.slice(0, half))
            records = records.slice(half)
        except duckdb.Error:
            records = records.slice(0, half)
    return int(records["position"][0].as_py())
