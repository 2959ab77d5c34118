"""Writes Parquet files for a Delta table in a worker; the driver commits them (delta_commit.py).

Where only Spark may write a table, its rows travel to Spark's writer instead, packed as bytes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from interest_graph.worker_files import WorkerFiles

Partition = Mapping[str, str]


@dataclass(frozen=True)
class NewFile:
    """A Parquet file in a table's folder that no commit names yet.

    path: within the folder; partition: values of the partition columns; lowest, highest: by column,
    as Delta's statistics write them.
    """

    path: str
    size: int
    n_rows: int
    partition: dict[str, str] = field(default_factory=dict)
    lowest: dict[str, Any] = field(default_factory=dict)
    highest: dict[str, Any] = field(default_factory=dict)

    def as_action(self, moment_ms: int) -> str:
        """The `add` of the Delta protocol, as JSON."""
        stats = {"numRecords": self.n_rows, "minValues": self.lowest, "maxValues": self.highest}
        add = {
            "path": quote(self.path, safe="/="),
            "partitionValues": self.partition,
            "size": self.size,
            "modificationTime": moment_ms,
            "dataChange": True,
            "stats": json.dumps(stats),
        }
        return json.dumps({"add": add})


@dataclass(frozen=True)
class TableFiles:
    """The folder of a table, as tasks write into it; small and picklable.

    folder: where the table lies; name: what the names of the files begin with, such as the run's
    id; coded: columns of few values, which get a dictionary; ranged: columns with statistics.
    """

    folder: str
    access: WorkerFiles
    name: str
    coded: tuple[str, ...] = ()
    ranged: tuple[str, ...] = ()

    def writer(self, task: str) -> TableWriter:
        """A writer for one attempt of a task, whose files no other attempt touches."""
        return TableWriter(self, f"{self.name}-{task}-{uuid.uuid4().hex[:8]}")


class TableWriter:
    """Writes the rows that one task gives: one file a partition of the table, which may grow."""

    def __init__(self, files: TableFiles, name: str) -> None:
        self._files, self._name = files, name
        self._open: dict[str, _OpenFile] = {}

    def write(self, rows: pa.Table, partition: Partition) -> None:
        """Add rows, without the partition columns, to the partition's file."""
        if rows.num_rows == 0:
            return
        rows = compact(rows)
        folder = "/".join(f"{column}={value}" for column, value in partition.items())
        if folder not in self._open:
            path = f"{folder}/{self._name}.parquet".lstrip("/")
            self._open[folder] = _OpenFile(self._files, path, rows.schema, dict(partition))
        self._open[folder].write(rows)

    def close(self) -> list[NewFile]:
        """Finish the files; returns what a commit has to say of them."""
        return [file.close() for file in self._open.values()]


class _OpenFile:
    def __init__(
        self, files: TableFiles, path: str, schema: pa.Schema, partition: dict[str, str]
    ) -> None:
        self._path, self._partition, self._ranged = path, partition, files.ranged
        self._sink = files.access.create(f"{files.folder}/{path}")
        self._parquet = pq.ParquetWriter(
            self._sink,
            schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=[name for name in files.coded if name in schema.names],
            write_statistics=list(files.ranged),
            store_schema=False,
        )
        self._n_rows = 0
        self._bounds: dict[str, tuple[Any, Any]] = {}

    def write(self, rows: pa.Table) -> None:
        self._parquet.write_table(rows)
        self._n_rows += rows.num_rows
        for name in self._ranged:
            low, high = pc.min_max(rows[name]).as_py().values()
            before = self._bounds.get(name, (low, high))
            self._bounds[name] = (min(low, before[0]), max(high, before[1]))

    def close(self) -> NewFile:
        self._parquet.close()
        size = self._sink.tell()
        self._sink.close()
        return NewFile(
            self._path,
            size,
            self._n_rows,
            self._partition,
            {name: _as_statistic(low) for name, (low, _) in self._bounds.items()},
            {name: _as_statistic(high) for name, (_, high) in self._bounds.items()},
        )


def compact(rows: pa.Table) -> pa.Table:
    """The rows with dictionaries of the values that occur: Parquet writes whole dictionaries."""
    columns = {}
    for name in rows.column_names:
        is_coded = pa.types.is_dictionary(rows[name].type)
        columns[name] = compacted(rows[name].combine_chunks()) if is_coded else rows[name]
    return pa.table(columns)


def compacted(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """The column without the values of its dictionary that no row has."""
    is_null = column.indices.is_null().to_numpy(zero_copy_only=False)
    codes = column.indices.fill_null(0).to_numpy(zero_copy_only=False)
    is_used = np.zeros(len(column.dictionary), bool)
    is_used[codes[~is_null]] = True
    if is_used.all():
        return column
    places = (np.cumsum(is_used) - 1).astype(np.int32)
    indices = pa.array(places[codes] if len(places) else codes, pa.int32(), mask=is_null)
    values = column.dictionary.take(pa.array(np.flatnonzero(is_used)))
    return pa.DictionaryArray.from_arrays(indices, values)


def _as_statistic(value: Any) -> Any:
    """Times and dates as texts, numbers as they are."""
    if not isinstance(value, date):
        return value
    return value.isoformat().replace("+00:00", "Z")


def files_as_json(files: Sequence[NewFile]) -> list[dict[str, Any]]:
    """The files as JSON can hold them."""
    return [asdict(file) for file in files]


def files_of_json(entries: Sequence[Mapping[str, Any]]) -> Iterator[NewFile]:
    """The files behind `files_as_json`."""
    return (NewFile(**entry) for entry in entries)
