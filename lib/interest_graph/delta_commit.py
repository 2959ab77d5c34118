"""Commits data files that workers have written to a Delta table, by Delta's own transaction.

Of open-source Delta: the classes have other names on Databricks, where Spark's writer is used.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from pyspark.sql import SparkSession

from interest_graph.table_files import NewFile


def commit_files(
    spark: SparkSession, location: str, files: Sequence[NewFile], where: str | None
) -> None:
    """Add the files to the table in one commit, in place of the rows that `where` selects.

    where: a predicate on the partition columns; "true" replaces all rows, None adds. Raises Delta's
    exceptions on another writer's conflict: nothing is committed then, and the files may be
    committed again.
    """
    jvm: Any = spark._jvm
    delta = jvm.org.apache.spark.sql.delta
    transaction = delta.DeltaLog.forTable(spark._jsparkSession, location).startTransaction()
    replaced = [] if where is None else _matching(spark, transaction, where)
    moment = int(time.time() * 1000)
    added = [delta.actions.Action.fromJson(file.as_action(moment)) for file in files]
    if not (replaced or added):
        return
    none, modes = jvm.scala.Option.empty(), jvm.org.apache.spark.sql.SaveMode
    predicate = none if where in (None, "true") else jvm.scala.Option.apply(where)
    mode = modes.Append if where is None else modes.Overwrite
    operation = delta.DeltaOperations.Write(mode, none, predicate, none)
    actions = [*(file.remove() for file in replaced), *added]
    transaction.commit(_as_seq(spark, actions), operation)


def live_files(spark: SparkSession, location: str, where: str) -> list[NewFile] | None:
    """The table's files in the partitions that `where` selects, without statistics.

    None where rows of a file are deleted (a deletion vector): Spark alone reads those.
    """
    jvm: Any = spark._jvm
    log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, location)
    files = _matching(spark, log.startTransaction(), where)
    found = [json.loads(str(file.json()))["add"] for file in files]
    if any(file.get("deletionVector") for file in found):
        return None
    return [NewFile(unquote(f["path"]), f["size"], 0, f["partitionValues"]) for f in found]


def _matching(spark: SparkSession, transaction: Any, where: str) -> list[Any]:
    expression = spark._jsparkSession.sessionState().sqlParser().parseExpression(where)
    files = transaction.filterFiles(_as_seq(spark, [expression]), False)
    jvm: Any = spark._jvm
    return list(jvm.scala.collection.JavaConverters.seqAsJavaList(files))


def _as_seq(spark: SparkSession, values: list[Any]) -> Any:
    jvm: Any = spark._jvm
    return jvm.org.apache.spark.api.python.PythonUtils.toSeq(values)
