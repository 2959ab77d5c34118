"""Reads and writes the declared Delta tables; the only place that does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_

from delta.exceptions import (
    ConcurrentAppendException,
    ConcurrentDeleteDeleteException,
    ConcurrentDeleteReadException,
    ConcurrentWriteException,
    DeltaConcurrentModificationException,
)
from delta.tables import DeltaTable
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import MapType, StructField
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from interest_graph import delta_log
from interest_graph.config import WarehouseConfig
from interest_graph.contract import Table
from interest_graph.errors import ConflictError, ContractError, DataError, MissingTableError
from interest_graph.filesystem import absolute, require_local_writable

# Siblings, not subclasses of one another: every one must be named. Metadata and protocol
# changes and two streams on one checkpoint are not listed: trying again would not help.
_CONFLICTS = (
    ConcurrentAppendException,
    ConcurrentDeleteReadException,
    ConcurrentDeleteDeleteException,
    ConcurrentWriteException,
    DeltaConcurrentModificationException,
)
_NOTE = "spark.databricks.delta.commitInfo.userMetadata"
# Operations in a table's history that leave its rows as they are; any other counts as a change.
_MAINTENANCE = (
    "ADD CONSTRAINT",
    "CLUSTER BY",
    "COMPUTE STATS",
    "CREATE TABLE",
    "DROP CONSTRAINT",
    "OPTIMIZE",
    "SET TBLPROPERTIES",
    "UNSET TBLPROPERTIES",
    "UPGRADE PROTOCOL",
    "VACUUM END",
    "VACUUM START",
)


@dataclass(frozen=True)
class TableState:
    """A table at one moment: its newest Delta version, and a name of the rows that it holds.

    version: -1 where the table has not been written; identity: as of delta_log.data_identity.
    """

    version: int
    identity: str


class Store:
    """The tables of one warehouse.

    Every write checks the frame against the table's contract, creates the table when it is
    absent, tries again on another writer's conflict, and is one commit. run_id: of the run whose
    commits these are, which their userMetadata names; null leaves it as the session has it.
    """

    def __init__(
        self, spark: SparkSession, warehouse: WarehouseConfig, run_id: str | None = None
    ) -> None:
        self.spark, self.run_id = spark, run_id
        self._warehouse = warehouse

    def location(self, table: Table) -> str:
        """Where the table lies: a path, or a three-part name when a catalog is configured."""
        if self._warehouse.catalog is not None:
            return f"{self._warehouse.catalog}.{table.name}"
        root = absolute(self.spark, self._warehouse.table_root)
        return f"{root}/{table.name.replace('.', '/')}"

    def exists(self, table: Table) -> bool:
        """Whether the table has been written."""
        if self._warehouse.catalog is not None:
            return self.spark.catalog.tableExists(self.location(table))
        return bool(delta_log.commit_versions(self.spark, self.location(table)))

    def read(self, table: Table, version: int | None = None) -> DataFrame:
        """The table, at `version` if one is given. Raises MissingTableError, ContractError."""
        if not self.exists(table):
            raise MissingTableError(table.name, table.writer)
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        catalogued = self._warehouse.catalog is not None
        location = self.location(table)
        frame = reader.table(location) if catalogued else reader.load(location)
        self._check(table, frame)
        return frame

    def version(self, table: Table) -> int:
        """The table's newest Delta version; -1 when it has not been written."""
        if self._warehouse.catalog is None:
            return max(delta_log.commit_versions(self.spark, self.location(table)), default=-1)
        history = self._history(table)
        return int(history[0]["version"]) if history else -1

    def state(self, table: Table) -> TableState:
        """The table's newest version and the identity of its data."""
        if self._warehouse.catalog is None:
            location = self.location(table)
            versions = delta_log.commit_versions(self.spark, location)
            if not versions:
                return TableState(-1, "")
            identity = delta_log.data_identity(self.spark, location, versions)
            return TableState(versions[-1], identity)
        history = self._history(table)
        if not history:
            return TableState(-1, "")
        changed = next((row for row in history if _changes_data(row)), history[-1])
        moment = changed["timestamp"].isoformat()
        return TableState(int(history[0]["version"]), f"{changed['version']}-{moment}")

    def has_changed_since(self, table: Table, version: int) -> bool:
        """Whether the table's rows changed after that version; true where nobody can tell."""
        if self._warehouse.catalog is None:
            location = self.location(table)
            versions = delta_log.commit_versions(self.spark, location)
            return delta_log.has_changed_since(self.spark, location, versions, version)
        later = [row for row in self._history(table) if row["version"] > version]
        return any(_changes_data(row) for row in later)

    def append(self, table: Table, frame: DataFrame) -> None:
        """Add rows."""
        self._write(table, frame, lambda: self._save(table, frame, "append"))

    def replace(self, table: Table, frame: DataFrame, where: str | None = None) -> None:
        """Replace all rows, or those that the predicate `where` selects, in one commit."""
        options = {"replaceWhere": where} if where is not None else {}
        self._write(table, frame, lambda: self._save(table, frame, "overwrite", options))

    def merge(
        self,
        table: Table,
        frame: DataFrame,
        *,
        update: bool = True,
        delete_others: bool = False,
        prune: str | None = None,
    ) -> None:
        """Insert rows with new keys; with `update`, bring changed rows up to date.

        `delete_others` removes rows whose key the frame lacks. `prune` is a predicate on the
        table (alias `old`) that limits the files looked at. Rows that are equal are not rewritten.
        """

        def run() -> None:
            matches = [F.expr(f"old.{column} <=> new.{column}") for column in table.key]
            condition = reduce(and_, matches)
            if prune is not None:
                condition = condition & F.expr(prune)
            merge = self._delta(table).alias("old").merge(frame.alias("new"), condition)
            if update:
                merge = merge.whenMatchedUpdateAll(_differs(table))
            merge = merge.whenNotMatchedInsertAll()
            if delete_others:
                merge = merge.whenNotMatchedBySourceDelete()
            merge.execute()

        self._write(table, frame, run)

    def delete(self, table: Table, where: str) -> None:
        """Delete the rows that the predicate selects."""
        self._retry(table, lambda: self._delta(table).delete(where))

    def expire(self, table: Table, where: str) -> None:
        """Delete superseded rows, which no reader of the newest ones misses.

        The commit says so in its userMetadata: the table's identity stays what it was.
        """
        self._retry(table, lambda: self._delta(table).delete(where), expiry=True)

    def compact(self, table: Table) -> tuple[int, int]:
        """Rewrite small files as larger ones; returns the numbers of files removed and added."""
        with self._signed():
            metrics = self._delta(table).optimize().executeCompaction().select("metrics.*").first()
        return (0, 0) if metrics is None else (metrics.numFilesRemoved, metrics.numFilesAdded)

    def vacuum(self, table: Table, *, hours: int) -> None:
        """Remove files that left the table more than `hours` ago; the caller vouches for them."""
        check = "spark.databricks.delta.retentionDurationCheck.enabled"
        with self._signed(), _setting(self.spark, check, "false"):
            self._delta(table).vacuum(hours)

    def create(self, table: Table) -> None:
        """Create the table with its columns, comments, layout and checks unless it exists."""
        if self.exists(table):
            return
        if self._warehouse.catalog is None:
            require_local_writable(self.spark, self._warehouse.table_root)
        builder = DeltaTable.createIfNotExists(self.spark)
        if self._warehouse.catalog is not None:
            self.spark.sql(f"CREATE SCHEMA IF NOT EXISTS {self.location(table).rsplit('.', 1)[0]}")
            builder = builder.tableName(self.location(table))
        else:
            builder = builder.location(self.location(table))
        builder = builder.addColumns(table.schema).partitionedBy(*table.partition_by)
        for key, value in table.delta_properties.items():
            builder = builder.property(key, value)
        with self._signed():
            builder.comment(table.comment).execute()

    def _delta(self, table: Table) -> DeltaTable:
        if self._warehouse.catalog is not None:
            return DeltaTable.forName(self.spark, self.location(table))
        return DeltaTable.forPath(self.spark, self.location(table))

    def _save(
        self, table: Table, frame: DataFrame, mode: str, options: dict[str, str] | None = None
    ) -> None:
        columns = frame.select(*table.column_names)
        writer = columns.write.format("delta").mode(mode).options(**(options or {}))
        if self._warehouse.catalog is not None:
            writer.saveAsTable(self.location(table))
        else:
            writer.save(self.location(table))

    def _write(self, table: Table, frame: DataFrame, write: Callable[[], None]) -> None:
        self._check(table, frame)
        self.create(table)
        self._retry(table, write)

    @contextmanager
    def _signed(self, *, expiry: bool = False) -> Iterator[None]:
        """Commits within the block carry the run's id; the session's own note comes back after.

        A session setting rather than a write option: MERGE, DELETE and CREATE take no options.
        """
        if self.run_id is None:
            yield
            return
        note = {"run_id": self.run_id} | ({delta_log.EXPIRY: True} if expiry else {})
        with _setting(self.spark, _NOTE, json.dumps(note)):
            yield

    def _retry(self, table: Table, write: Callable[[], None], *, expiry: bool = False) -> None:
        policy = Retrying(
            retry=retry_if_exception_type(_CONFLICTS),
            wait=wait_random_exponential(multiplier=0.1, max=5),
            stop=stop_after_attempt(self._warehouse.retry_attempts),
            reraise=True,
        )
        try:
            with self._signed(expiry=expiry):
                policy(write)
        except _CONFLICTS as error:
            raise ConflictError(f"{table.name}: another job keeps changing it") from error
        except (Py4JJavaError, PySparkException) as error:
            raise _translate(table, error) from error

    def _history(self, table: Table) -> list[Row]:
        """The commits of a catalog's table that its history still has, newest first."""
        if not self.exists(table):
            return []
        columns = ("version", "timestamp", "operation", "userMetadata")
        return self._delta(table).history().select(*columns).collect()

    def _check(self, table: Table, frame: DataFrame) -> None:
        problems = table.problems(frame)
        if problems:
            raise ContractError(table.name, problems)


@contextmanager
def _setting(spark: SparkSession, key: str, value: str) -> Iterator[None]:
    """A session setting within the block; what was there before comes back."""
    before = spark.conf.get(key, None)
    spark.conf.set(key, value)
    try:
        yield
    finally:
        if before is None:
            spark.conf.unset(key)
        else:
            spark.conf.set(key, before)


def _changes_data(entry: Row) -> bool:
    """Whether a row of a table's history changed what the table holds."""
    is_kept = entry["operation"] in _MAINTENANCE or delta_log.marks_expiry(entry["userMetadata"])
    return not is_kept


def _differs(table: Table) -> Column:
    """Whether a matched row has any other value than the stored one."""
    others = [column for column in table.schema if column.name not in table.key]
    changes = [
        ~_comparable("old", column).eqNullSafe(_comparable("new", column)) for column in others
    ]
    return reduce(or_, changes, F.lit(False))


def _comparable(side: str, column: StructField) -> Column:
    """Spark compares no maps: their sorted entries stand for them."""
    value = F.col(f"{side}.{column.name}")
    return F.sort_array(F.map_entries(value)) if isinstance(column.dataType, MapType) else value


def _translate(table: Table, error: Exception) -> Exception:
    """One clear line for violations of a table's promises; anything else stays as it is."""
    # The message, and the lines " - column : value" that may follow it.
    found = re.search(r"\[(DELTA_\w+)(?:\.\w+)?\]\s*(.+(?:\n *- .+)*)", str(error))
    kind, detail = found.groups() if found else ("", "")
    if "CONSTRAINT" in kind:
        return DataError(f"{table.name}: {' '.join(detail.split())}")
    if "MULTIPLE_SOURCE_ROW" in kind:
        return DataError(f"{table.name}: two rows share one key ({', '.join(table.key)})")
    return error
