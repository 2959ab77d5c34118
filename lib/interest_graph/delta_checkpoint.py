"""Writes checkpoints of a Delta table's log, so that readers need not replay every commit.

The classic checkpoint of the Delta Transaction Log Protocol: one Parquet file with a row for each
action that still counts. Delta's own code takes several Spark jobs for it, seconds in a session
that has just begun.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from interest_graph.delta_log import commit_versions
from interest_graph.delta_state import read_actions
from interest_graph.filesystem import FileSystem

_KEPT_MS = 30 * 24 * 3_600_000  # how long removed files are listed; Delta's default is a week
_LONG_LOG = 100  # commits
_TEXTS = pa.map_(pa.string(), pa.string())
_ACTIONS = {
    "txn": [("appId", pa.string()), ("version", pa.int64()), ("lastUpdated", pa.int64())],
    "add": [
        ("path", pa.string()),
        ("partitionValues", _TEXTS),
        ("size", pa.int64()),
        ("modificationTime", pa.int64()),
        ("dataChange", pa.bool_()),
        ("tags", _TEXTS),
        ("stats", pa.string()),
    ],
    "remove": [
        ("path", pa.string()),
        ("deletionTimestamp", pa.int64()),
        ("dataChange", pa.bool_()),
        ("extendedFileMetadata", pa.bool_()),
        ("partitionValues", _TEXTS),
        ("size", pa.int64()),
    ],
    "metaData": [
        ("id", pa.string()),
        ("name", pa.string()),
        ("description", pa.string()),
        ("format", pa.struct([("provider", pa.string()), ("options", _TEXTS)])),
        ("schemaString", pa.string()),
        ("partitionColumns", pa.list_(pa.string())),
        ("configuration", _TEXTS),
        ("createdTime", pa.int64()),
    ],
    "protocol": [("minReaderVersion", pa.int32()), ("minWriterVersion", pa.int32())],
}
_SCHEMA = pa.schema([(name, pa.struct(fields)) for name, fields in _ACTIONS.items()])

Action = Mapping[str, Any]


def write_checkpoint(spark: SparkSession, location: str) -> None:
    """Write a checkpoint of the table's newest version, unless only Spark can read the table."""
    found = read_actions(spark, location)
    if found is None:
        return
    version, actions = found
    rows = _reconciled(actions, int(time.time() * 1000) - _KEPT_MS)
    content = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, _SCHEMA), content)
    files, log = FileSystem(spark), f"{location}/_delta_log"
    files.write(f"{log}/{version:020d}.checkpoint.parquet", content.getvalue())
    last = {"version": version, "size": len(rows)}
    files.write(f"{log}/_last_checkpoint", json.dumps(last).encode())


def trim_log(spark: SparkSession, location: str) -> None:
    """Have Delta remove what a long log holds beyond its retention, 30 days by default.

    Only the checkpoints that Delta itself writes do so, and where all is written by workers and the
    driver it writes none.
    """
    if len(commit_versions(spark, location)) > _LONG_LOG:
        jvm: Any = spark._jvm
        logs = jvm.org.apache.spark.sql.delta.DeltaLog
        logs.forTable(spark._jsparkSession, location).checkpoint()


def _reconciled(actions: Iterable[Action], since_ms: int) -> list[dict[str, Any]]:
    """The newest action of each file, application and kind; since_ms: of removals that count."""
    newest: dict[tuple[str, str], tuple[str, Action]] = {}
    for action in actions:
        for name in _SCHEMA.names:
            held = action.get(name)
            if held is None:
                continue
            kind = "file" if name in ("add", "remove") else name
            key = str(held.get("path") or held.get("appId") or "")
            newest[kind, key] = name, held
    return [
        {name: _plain(name, held)}
        for name, held in newest.values()
        if name != "remove" or (held.get("deletionTimestamp") or 0) >= since_ms
    ]


def _plain(name: str, held: Action) -> dict[str, Any]:
    """The fields of an action as Arrow takes them: maps as pairs."""
    fields = {field: held.get(field) for field, _ in _ACTIONS[name]}
    if name in ("add", "remove"):
        fields["dataChange"] = False  # a checkpoint changes nothing
    if name == "metaData":
        fields["format"] = {**held["format"], "options": _pairs(held["format"].get("options"))}
    for field, kind in _ACTIONS[name]:
        if kind == _TEXTS:
            fields[field] = _pairs(fields[field])
    return fields


def _pairs(texts: Any) -> Any:
    """A map of JSON; one of Parquet is a list of pairs already."""
    return list(texts.items()) if isinstance(texts, dict) else texts
