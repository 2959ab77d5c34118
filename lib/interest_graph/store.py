"""Reads and writes the declared Delta tables; the only place that does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from itertools import chain
from operator import and_, or_
from pathlib import Path

import pyarrow as pa
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
from pyspark.sql import Column, DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import MapType, StructField
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from interest_graph import delta_log, small_tables
from interest_graph.config import WarehouseConfig
from interest_graph.contract import Table
from interest_graph.delta_checkpoint import trim_log
from interest_graph.delta_commit import (
    NOTE,
    CommitConflict,
    Transaction,
    commit_files,
    create_table,
)
from interest_graph.delta_log import ABSENT, Commit, TableState
from interest_graph.delta_state import DeltaState, LiveFile, Partitions, read_state
from interest_graph.delta_vacuum import vacuum_folder
from interest_graph.errors import ConflictError, ContractError, DataError, MissingTableError
from interest_graph.filesystem import absolute, require_local_writable
from interest_graph.identity import digest
from interest_graph.session import temporarily
from interest_graph.table_files import NewFile, TableFiles
from interest_graph.worker_files import WorkerFiles, local_name, worker_files

# Siblings, not subclasses of one another: every one must be named. Metadata and protocol
# changes and two streams on one checkpoint are not listed: trying again would not help.
_CONFLICTS = (
    CommitConflict,
    ConcurrentAppendException,
    ConcurrentDeleteReadException,
    ConcurrentDeleteDeleteException,
    ConcurrentWriteException,
    DeltaConcurrentModificationException,
)
_CHECK_RETENTION = "spark.databricks.delta.retentionDurationCheck.enabled"
_SESSION_CATALOG = "spark_catalog"


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
        self._root = ""

    def location(self, table: Table) -> str:
        """Where the table lies: a path, or a three-part name when a catalog is configured."""
        if self._warehouse.catalog is not None:
            return f"{self._warehouse.catalog}.{table.name}"
        self._root = self._root or absolute(self.spark, self._warehouse.table_root)
        return f"{self._root}/{table.name.replace('.', '/')}"

    def exists(self, table: Table) -> bool:
        """Whether the table has been written."""
        if self._warehouse.catalog is not None:
            return self.spark.catalog.tableExists(self.location(table))
        return bool(delta_log.commit_versions(self.spark, self.location(table)))

    def read(self, table: Table, version: int | None = None) -> DataFrame:
        """The table, at `version` if one is given. Raises MissingTableError, ContractError."""
        if not self.exists(table):
            raise MissingTableError(table.name, table.writer)
        frame = self._load(table, version)
        self._check(table, frame)
        return frame

    def version(self, table: Table) -> int:
        """The table's newest Delta version; -1 when it has not been written."""
        if self._warehouse.catalog is None:
            return max(delta_log.commit_versions(self.spark, self.location(table)), default=-1)
        return next((commit.version for commit in self._commits(table)), -1)

    def state(self, table: Table) -> TableState:
        """The table's newest version and the identity of its rows; ABSENT where there is none.

        Where the log no longer tells, the names of the files that hold the rows stand in: the
        table looks new once, and once more when a session other than ours joins these files.
        """
        commits = self._commits(table)
        newest = next(commits, None)
        if newest is None:
            return ABSENT
        identity = delta_log.identity_of(chain([newest], commits))
        return TableState(newest.version, identity or self._name_files(table))

    def changes_since(self, table: Table, version: int) -> int | None:
        """How many commits changed the table's rows after that version; None: nobody can tell."""
        return delta_log.changes_since(self._commits(table), version)

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
        table (alias `old`) that limits the files looked at. Where all rows are equal the table's
        identity stays what it was.
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

    def worker_files(self, table: Table) -> WorkerFiles | None:
        """How workers reach the table's files; None where only Spark may read and write them."""
        if self._warehouse.catalog is not None:
            return None
        return worker_files(self.spark, self.location(table))

    def files_of(
        self, table: Table, *, coded: tuple[str, ...] = (), ranged: tuple[str, ...] = ()
    ) -> TableFiles | None:
        """The table's folder, made if absent, for workers to write into; None where only Spark may.

        coded, ranged: columns that get a dictionary, and statistics. The files count once `commit`
        names them; others are removed by the maintain job's vacuum.
        """
        access = self.worker_files(table)
        if access is None:
            return None
        self.create(table)  # Delta makes no table in a folder that holds files
        if self._plain_state(table) is None:
            return None  # somebody gave the table features that only Spark knows
        name = (self.run_id or "session")[:12]
        return TableFiles(self.location(table), access, name, coded, ranged)

    def live_files(self, table: Table, partitions: Partitions) -> list[LiveFile] | None:
        """The table's files in these partitions; None where only Spark may read them."""
        if self.worker_files(table) is None:
            return None
        state = self._plain_state(table)
        return None if state is None else state.of(partitions)

    def commit(
        self, table: Table, files: Sequence[NewFile], replaced: Partitions | None = None
    ) -> None:
        """Add files that workers have written, in place of the rows of these partitions.

        replaced: None adds; without a column it stands for all rows.
        """
        location = self.location(table)
        self._retry(table, lambda: commit_files(self.spark, location, files, replaced))

    def rewrite(
        self, table: Table, work: Callable[[Sequence[LiveFile]], Sequence[NewFile] | None]
    ) -> None:
        """Replace all rows by the files that `work` makes of the live ones, in one commit.

        None leaves the table as it is. Another writer's commit meanwhile makes `work` run again, on
        the files that are live then. Only for tables that `files_of` lets workers write. Raises
        ContractError where the table has other columns, which would be lost.
        """

        def run() -> None:
            transaction = Transaction(self.spark, self.location(table))
            if transaction.state.columns != tuple(table.column_names):
                self._check(table, self._load(table))
            files = work(transaction.state.files)
            if files is not None:
                transaction.commit(files, transaction.state.files, {})

        self._retry(table, run)

    def size(self, table: Table) -> int:
        """Bytes of the table's files, packed; 0 when it has not been written."""
        if not self.exists(table):
            return 0
        detail = self._delta(table).detail().select("sizeInBytes").first()
        return 0 if detail is None else int(detail["sizeInBytes"])

    def read_rows(self, table: Table) -> pa.Table:
        """All rows of a small table, on the driver; none where it has not been written."""
        return small_tables.read_rows(self, table)

    def append_rows(self, table: Table, rows: pa.Table) -> None:
        """Add a few rows from the driver."""
        self._retry(table, lambda: small_tables.append_rows(self, table, rows))

    def edit_rows(self, table: Table, change: Callable[[pa.Table], pa.Table]) -> None:
        """Replace all rows of a small table by what `change` makes of them, in one commit.

        Another writer's commit meanwhile makes it read and change the rows again.
        """
        self.create(table)
        self._retry(table, lambda: small_tables.edit_rows(self, table, change))

    def _plain_state(self, table: Table) -> DeltaState | None:
        """What the table's log says; None for tables in a catalog and those of later protocols."""
        if self._warehouse.catalog is not None:
            return None
        return read_state(self.spark, self.location(table))

    def columns(self, table: Table) -> tuple[str, ...]:
        """The names of the stored table's columns; none where it has not been written."""
        state = self._plain_state(table)
        if state is not None:
            return state.columns
        return tuple(self._load(table).columns) if self.exists(table) else ()

    def upgrade(self, table: Table, added: Mapping[str, Column]) -> None:
        """Bring a table of an earlier layout to its present columns and partitions.

        added: columns that the earlier layout may lack, made of its others. Does nothing to a table
        that is as declared, or not there.
        """
        held = self.columns(table)
        lacking = {name: value for name, value in added.items() if name not in held}
        if not (held and lacking):
            return
        columns = self._load(table).withColumns(lacking).select(*table.column_names)
        writer = columns.write.format("delta").mode("overwrite").option("overwriteSchema", "true")
        writer = writer.partitionBy(*table.partition_by)
        with self._signed():
            self._finish(table, writer)

    def delete(self, table: Table, where: str) -> None:
        """Delete the rows that the predicate selects."""
        self._retry(table, lambda: self._delta(table).delete(where))

    def expire(self, table: Table, where: str) -> None:
        """Delete superseded rows, which no reader of the newest ones misses.

        The commit says so in its userMetadata: the table's identity stays what it was.
        """
        self._retry(table, lambda: self._delta(table).delete(where), kept=self.state(table))

    def compact(self, table: Table) -> tuple[int, int]:
        """Rewrite small files as larger ones; returns the numbers of files removed and added."""
        state = self._plain_state(table)
        if state is not None and not state.is_fragmented:
            return (0, 0)
        with self._signed(self.state(table)):
            metrics = self._delta(table).optimize().executeCompaction().select("metrics.*").first()
        return (0, 0) if metrics is None else (metrics.numFilesRemoved, metrics.numFilesAdded)

    def trim_log(self, table: Table) -> None:
        """Remove what a long log holds beyond its retention; catalogs care for theirs."""
        if self._warehouse.catalog is None:
            trim_log(self.spark, self.location(table))

    def vacuum(self, table: Table, *, hours: int) -> None:
        """Remove files that left the table more than `hours` ago; the caller vouches for them."""
        state, access = self._plain_state(table), self.worker_files(table)
        if state is not None and access is not None and access.scheme == "file":
            vacuum_folder(Path(local_name(self.location(table))), state, hours=hours)
            return
        with self._signed(self.state(table)), temporarily(self.spark, {_CHECK_RETENTION: "false"}):
            self._delta(table).vacuum(hours)

    def create(self, table: Table) -> None:
        """Create the table with its columns, comments, layout and checks unless it exists."""
        if self.exists(table):
            return
        if self._warehouse.catalog is not None or self.worker_files(table) is None:
            self._create_by_spark(table)
            return
        require_local_writable(self.spark, self._warehouse.table_root)
        with self._signed():
            create_table(self.spark, self.location(table), table)

    def _create_by_spark(self, table: Table) -> None:
        builder = DeltaTable.createIfNotExists(self.spark)
        if self._warehouse.catalog is not None:
            self.spark.sql(f"CREATE SCHEMA IF NOT EXISTS {self.location(table).rsplit('.', 1)[0]}")
            builder = builder.tableName(self._name(table))
        else:
            builder = builder.location(self.location(table))
        builder = builder.addColumns(table.schema).partitionedBy(*table.partition_by)
        for key, value in table.delta_properties.items():
            builder = builder.property(key, value)
        with self._signed():
            builder.comment(table.comment).execute()

    def _delta(self, table: Table) -> DeltaTable:
        if self._warehouse.catalog is not None:
            return DeltaTable.forName(self.spark, self._name(table))
        return DeltaTable.forPath(self.spark, self.location(table))

    def _name(self, table: Table) -> str:
        """A catalog's table as Delta's own functions take it.

        Outside Databricks they parse two parts, which are looked up in the session's catalog.
        """
        name = self.location(table)
        if self.spark.catalog.currentCatalog() == _SESSION_CATALOG:
            return name.removeprefix(f"{_SESSION_CATALOG}.")
        return name

    def _load(self, table: Table, version: int | None = None) -> DataFrame:
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        location = self.location(table)
        return reader.load(location) if self._warehouse.catalog is None else reader.table(location)

    def _save(
        self, table: Table, frame: DataFrame, mode: str, options: dict[str, str] | None = None
    ) -> None:
        columns = frame.select(*table.column_names)
        writer = columns.write.format("delta").mode(mode).options(**(options or {}))
        self._finish(table, writer)

    def _finish(self, table: Table, writer: DataFrameWriter) -> None:
        """Write to where the table lies."""
        if self._warehouse.catalog is not None:
            writer.saveAsTable(self.location(table))
        else:
            writer.save(self.location(table))

    def _write(self, table: Table, frame: DataFrame, write: Callable[[], None]) -> None:
        self._check(table, frame)
        self.create(table)
        self._retry(table, write)

    @contextmanager
    def _signed(self, kept: TableState | None = None) -> Iterator[None]:
        """Commits within the block carry the run's id; the session's own note comes back after.

        kept: the table's state, for commits that leave its newest rows as they are. A session
        setting rather than a write option: MERGE, DELETE and CREATE take no options.
        """
        if self.run_id is None and kept is None:
            yield
            return
        with temporarily(self.spark, {NOTE: delta_log.note_of(self.run_id, kept)}):
            yield

    def _retry(
        self, table: Table, write: Callable[[], None], kept: TableState | None = None
    ) -> None:
        policy = Retrying(
            retry=retry_if_exception_type(_CONFLICTS),
            wait=wait_random_exponential(multiplier=0.1, max=5),
            stop=stop_after_attempt(self._warehouse.retry_attempts),
            reraise=True,
        )
        try:
            with self._signed(kept):
                policy(write)
        except _CONFLICTS as error:
            raise ConflictError(f"{table.name}: another job keeps changing it") from error
        except (Py4JJavaError, PySparkException) as error:
            raise _translate(table, error) from error

    def _commits(self, table: Table) -> Iterator[Commit]:
        """The commits that the table's log or history still has, newest first."""
        if self._warehouse.catalog is None:
            return delta_log.read_commits(self.spark, self.location(table))
        if not self.exists(table):
            return iter(())
        moment = F.unix_millis("timestamp").alias("timestamp_ms")
        columns = ("version", "operation", "operationMetrics", "userMetadata")
        history = self._delta(table).history().select(moment, *columns)
        return map(delta_log.commit_of, history.orderBy(F.desc("version")).collect())

    def _name_files(self, table: Table) -> str:
        names = self._load(table).inputFiles()
        return f"files-{digest(sorted(name.rsplit('/', 1)[-1] for name in names), 12)}"

    def _check(self, table: Table, frame: DataFrame) -> None:
        problems = table.problems(frame)
        if problems:
            raise ContractError(table.name, problems)


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
