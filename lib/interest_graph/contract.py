"""The declaration of a table: columns, key, partitioning, checks and properties."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from pyspark import SparkContext
from pyspark.sql.types import StructType

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# Readable by every Delta reader: no deletion vectors, column mapping or v2 checkpoints.
_PORTABLE = {"delta.enableDeletionVectors": "false"}


@cache
def parse_ddl(columns: str) -> StructType:
    """Parse column DDL as a StructType, with NOT NULL and comments.

    Raises RuntimeError without an open Spark session.
    """
    context = SparkContext._active_spark_context
    if context is None or context._jvm is None:
        raise RuntimeError("DDL is parsed by Spark: open a session first")
    parsed = context._jvm.org.apache.spark.sql.types.StructType.fromDDL(columns)
    return StructType.fromJson(json.loads(parsed.json()))


@dataclass(frozen=True)
class Table:
    """The declaration (contract) of a Delta table.

    name: `schema.table`; columns: DDL, also usable as the schema of a pandas UDF; key: columns that
    identify a row; writer: the job that writes it; checks: name of a CHECK constraint -> SQL
    predicate that every row meets; properties: further Delta table properties.
    """

    name: str
    columns: str
    key: tuple[str, ...]
    writer: str
    comment: str
    partition_by: tuple[str, ...] = ()
    checks: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def schema(self) -> StructType:
        """The columns as a StructType; needs an open Spark session."""
        return parse_ddl(self.columns)

    @property
    def column_names(self) -> list[str]:
        """Names of the columns, in order."""
        return self.schema.names

    @property
    def delta_properties(self) -> dict[str, str]:
        """All Delta table properties: portability, CHECK constraints, and `properties`."""
        constraints = {f"delta.constraints.{name}": rule for name, rule in self.checks.items()}
        return {**_PORTABLE, **constraints, **self.properties}

    def problems(self, frame: DataFrame) -> list[str]:
        """All differences between the columns of the frame and of the table; empty if none."""
        expected = {column.name: column.dataType for column in self.schema}
        actual = {column.name: column.dataType for column in frame.schema}
        lacking = [f"lacks {name}" for name in expected if name not in actual]
        extra = [f"has unknown column {name}" for name in actual if name not in expected]
        wrong = [
            f"{name} is {actual[name].simpleString()}, not {kind.simpleString()}"
            for name, kind in expected.items()
            if name in actual and actual[name] != kind
        ]
        return lacking + extra + wrong
