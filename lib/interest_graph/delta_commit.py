"""Commits data files that workers or the driver have written to a Delta table, without a Spark job.

A commit is the next file of the table's log, put there by Delta's LogStore, which lets one of two
writers of the same version win. What is replaced is what was there one version before: a commit
that another writer overtakes fails and is made anew, so commits are serial. Only tables with the
plainest protocol are written so (see delta_state.py); Spark writes the others.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from py4j.java_gateway import is_instance_of
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from interest_graph.contract import Table
from interest_graph.delta_checkpoint import write_checkpoint
from interest_graph.delta_log import commit_path
from interest_graph.delta_state import DeltaState, LiveFile, Partitions, read_state, sql_of
from interest_graph.errors import DataError
from interest_graph.filesystem import FileSystem
from interest_graph.identity import library_version
from interest_graph.table_files import NewFile

NOTE = "spark.databricks.delta.commitInfo.userMetadata"
_TAKEN = "java.nio.file.FileAlreadyExistsException"
_CHECKPOINT_INTERVAL = 10  # versions, as Delta's own writers


class CommitConflict(Exception):
    """Another writer committed first; nothing was changed."""


class Transaction:
    """Reads a table at one version and commits the next one."""

    def __init__(self, spark: SparkSession, location: str) -> None:
        """Raises DataError for a table that only Spark may write."""
        self._spark, self._location = spark, location
        state = read_state(spark, location)
        if state is None:
            raise DataError(f"{location}: only Spark can write this table")
        self.state: DeltaState = state

    def commit(
        self,
        added: Sequence[NewFile],
        removed: Sequence[LiveFile] = (),
        partitions: Partitions | None = None,
    ) -> None:
        """Commit the files; nothing without any. Raises CommitConflict.

        partitions: what is replaced, for the table's history; None adds.
        """
        if not (added or removed):
            return
        moment = int(time.time() * 1000)
        note = self._spark.conf.get(NOTE, None)
        lines = [_commit_info(self.state.version, added, removed, partitions, moment, note)]
        lines += [_removal(file, moment) for file in removed]
        lines += [file.as_action(moment) for file in added]
        version = self.state.version + 1
        _put(self._spark, commit_path(self._location, version), lines)
        if version % _CHECKPOINT_INTERVAL == 0:
            write_checkpoint(self._spark, self._location)


def create_table(spark: SparkSession, location: str, table: Table) -> None:
    """Make the table, empty, as it is declared; does nothing where another writer just did."""
    moment = int(time.time() * 1000)
    info = {
        "timestamp": moment,
        "operation": "CREATE TABLE",
        "operationParameters": {"partitionBy": json.dumps(list(table.partition_by))},
        "isolationLevel": "Serializable",
        "isBlindAppend": True,
        "operationMetrics": {},
    }
    metadata = {
        "id": str(uuid.uuid4()),
        "description": table.comment,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": table.schema.json(),
        "partitionColumns": list(table.partition_by),
        "configuration": table.delta_properties,
        "createdTime": moment,
    }
    # CHECK constraints came with the third version of the writers' protocol.
    protocol = {"minReaderVersion": 1, "minWriterVersion": 3 if table.checks else 2}
    lines = [
        _signed(info, spark.conf.get(NOTE, None)),
        json.dumps({"protocol": protocol}),
        json.dumps({"metaData": metadata}),
    ]
    FileSystem(spark).make_folder(f"{location}/_delta_log")
    with suppress(CommitConflict):
        _put(spark, commit_path(location, 0), lines)


def commit_files(
    spark: SparkSession, location: str, files: Sequence[NewFile], replaced: Partitions | None
) -> None:
    """Add the files to the table in one commit, in place of the rows of these partitions.

    replaced: None adds; without a column it stands for all rows. Raises CommitConflict.
    """
    transaction = Transaction(spark, location)
    removed = [] if replaced is None else transaction.state.of(replaced)
    transaction.commit(files, removed, replaced)


def _put(spark: SparkSession, path: str, lines: Sequence[str]) -> None:
    """Write a file of the log that must not exist. Raises CommitConflict."""
    jvm: Any = spark._jvm
    session = spark._jsparkSession
    store = jvm.org.apache.spark.sql.delta.storage.LogStore.apply(session)
    texts = jvm.java.util.ArrayList()
    for line in lines:
        texts.add(line)
    content = jvm.scala.collection.JavaConverters.asScalaIterator(texts.iterator())
    conf = session.sessionState().newHadoopConf()
    try:
        store.write(jvm.org.apache.hadoop.fs.Path(path), content, False, conf)
    except Py4JJavaError as error:
        gateway = spark.sparkContext._gateway
        if is_instance_of(gateway, error.java_exception, _TAKEN):
            raise CommitConflict(path) from None
        raise


def _commit_info(
    version: int,
    added: Sequence[NewFile],
    removed: Sequence[LiveFile],
    partitions: Partitions | None,
    moment: int,
    note: str | None,
) -> str:
    where = None if partitions is None else sql_of(partitions)
    info: dict[str, Any] = {
        "timestamp": moment,
        "operation": "WRITE",
        "operationParameters": {
            "mode": "Append" if partitions is None else "Overwrite",
            **({} if where is None else {"predicate": where}),
        },
        "readVersion": version,
        "isolationLevel": "Serializable",
        "isBlindAppend": partitions is None,
        "operationMetrics": {
            "numFiles": str(len(added)),
            "numRemovedFiles": str(len(removed)),
            "numOutputRows": str(sum(file.n_rows for file in added)),
            "numOutputBytes": str(sum(file.size for file in added)),
        },
    }
    return _signed(info, note)


def _signed(info: Mapping[str, Any], note: str | None) -> str:
    """The `commitInfo` of the Delta protocol, as JSON; note: of the run whose commit it is."""
    signature: dict[str, Any] = {"engineInfo": f"interest-graph/{library_version()}"}
    if note is not None:
        signature["userMetadata"] = note
    return json.dumps({"commitInfo": {**info, **signature}})


def _removal(file: LiveFile, moment: int) -> str:
    """The `remove` of the Delta protocol, as JSON."""
    remove = {
        "path": file.key,
        "deletionTimestamp": moment,
        "dataChange": True,
        "extendedFileMetadata": True,
        "partitionValues": file.partition,
        "size": file.size,
    }
    return json.dumps({"remove": remove})
