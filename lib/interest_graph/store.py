"""Reads and writes the declared Delta tables; the only place that does."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from functools import reduce
from operator import and_, or_
from pathlib import Path
from typing import Any

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
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import MapType, StructField
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from interest_graph.config import WarehouseConfig
from interest_graph.contract import Table
from interest_graph.errors import (
    ConfigError,
    ConflictError,
    ContractError,
    DataError,
    MissingTableError,
)

# Siblings, not subclasses of one another: every one must be named. Metadata and protocol
# changes and two streams on one checkpoint are not listed: trying again would not help.
_CONFLICTS = (
    ConcurrentAppendException,
    ConcurrentDeleteReadException,
    ConcurrentDeleteDeleteException,
    ConcurrentWriteException,
    DeltaConcurrentModificationException,
)


class Store:
    """The tables of one warehouse.

    Every write checks the frame against the table's contract, creates the table when it is
    absent, tries again on another writer's conflict, and is one commit that carries `run_id`.
    """

    def __init__(self, spark: SparkSession, warehouse: WarehouseConfig, run_id: str) -> None:
        self.spark, self.run_id = spark, run_id
        self._warehouse = warehouse

    def location(self, table: Table) -> str:
        """Where the table lies: a path, or a three-part name when a catalog is configured."""
        if self._warehouse.catalog is not None:
            return f"{self._warehouse.catalog}.{table.name}"
        return f"{absolute(self._warehouse.table_root)}/{table.name.replace('.', '/')}"

    def exists(self, table: Table) -> bool:
        """Whether the table has been written."""
        if self._warehouse.catalog is not None:
            return self.spark.catalog.tableExists(self.location(table))
        return bool(_commits(self.spark, self.location(table)))

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
            return max(_commits(self.spark, self.location(table)), default=-1)
        if not self.exists(table):
            return -1
        newest = self._delta(table).history(1).select("version").first()
        return int(newest["version"]) if newest is not None else -1

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

    def compact(self, table: Table) -> tuple[int, int]:
        """Rewrite small files as larger ones; returns the numbers of files removed and added."""
        self._sign_commits()
        metrics = self._delta(table).optimize().executeCompaction().select("metrics.*").first()
        return (0, 0) if metrics is None else (metrics.numFilesRemoved, metrics.numFilesAdded)

    def vacuum(self, table: Table, *, hours: int) -> None:
        """Remove files that left the table more than `hours` ago; the caller vouches for them."""
        check = "spark.databricks.delta.retentionDurationCheck.enabled"
        before = self.spark.conf.get(check, "true")
        self.spark.conf.set(check, "false")
        try:
            self._delta(table).vacuum(hours)
        finally:
            self.spark.conf.set(check, before or "true")

    def create(self, table: Table) -> None:
        """Create the table with its columns, comments, layout and checks unless it exists."""
        if self.exists(table):
            return
        self._require_writable()
        self._sign_commits()
        builder = DeltaTable.createIfNotExists(self.spark)
        if self._warehouse.catalog is not None:
            self.spark.sql(f"CREATE SCHEMA IF NOT EXISTS {self.location(table).rsplit('.', 1)[0]}")
            builder = builder.tableName(self.location(table))
        else:
            builder = builder.location(self.location(table))
        builder = builder.addColumns(table.schema).partitionedBy(*table.partition_by)
        for key, value in table.delta_properties.items():
            builder = builder.property(key, value)
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

    def _sign_commits(self) -> None:
        # A session setting rather than a write option: MERGE, DELETE and CREATE take no options.
        note = json.dumps({"run_id": self.run_id})
        self.spark.conf.set("spark.databricks.delta.commitInfo.userMetadata", note)

    def _retry(self, table: Table, write: Callable[[], None]) -> None:
        self._sign_commits()
        policy = Retrying(
            retry=retry_if_exception_type(_CONFLICTS),
            wait=wait_random_exponential(multiplier=0.1, max=5),
            stop=stop_after_attempt(self._warehouse.retry_attempts),
            reraise=True,
        )
        try:
            policy(write)
        except _CONFLICTS as error:
            raise ConflictError(f"{table.name}: another job keeps changing it") from error
        except (Py4JJavaError, PySparkException) as error:
            raise _translate(table, error) from error

    def _check(self, table: Table, frame: DataFrame) -> None:
        problems = table.problems(frame)
        if problems:
            raise ContractError(table.name, problems)

    def _require_writable(self) -> None:
        if self._warehouse.catalog is None:
            require_writable(self._warehouse.table_root)


def absolute(root: str) -> str:
    """A local folder as an absolute path; URLs (s3a://, abfss://, dbfs:/) stay as they are."""
    return root.rstrip("/") if ":/" in root else str(Path(root).expanduser().resolve())


def require_writable(root: str) -> None:
    """Raise ConfigError unless the local folder `root` can be created and written."""
    if ":/" in root:
        return
    folder = Path(absolute(root))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f"_writable_{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError(
            "warehouse.table_root", f"{folder} cannot be written ({error.strerror})"
        ) from None


def _commits(spark: SparkSession, location: str) -> list[int]:
    """The versions that the files of a Delta log name; opening the table would be Spark jobs.

    Delta Transaction Log Protocol, "Delta Log Entries": <version, 20 digits>.json.
    """
    jvm: Any = spark._jvm
    log = jvm.org.apache.hadoop.fs.Path(f"{location}/_delta_log")
    system = log.getFileSystem(spark._jsc.hadoopConfiguration())
    if not system.exists(log):
        return []
    # One text for all: to ask the JVM for every name takes a millisecond each.
    paths = jvm.org.apache.hadoop.fs.FileUtil.stat2Paths(system.listStatus(log))
    listing = jvm.org.apache.commons.lang3.ArrayUtils.toString(paths)
    return [int(version) for version in re.findall(r"/(\d{20})\.json[,}]", listing)]


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
