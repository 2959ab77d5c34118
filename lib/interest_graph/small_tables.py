"""Tables of few rows, such as ledgers, read and written on the driver without a Spark job.

Where the table's files can be reached from Python, reading one takes milliseconds instead of
seconds in a session that has just begun. Elsewhere Spark reads and writes the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql.pandas.types import to_arrow_schema

from interest_graph.contract import Table
from interest_graph.delta_commit import Transaction
from interest_graph.delta_state import LiveFile
from interest_graph.table_files import NewFile, TableFiles
from interest_graph.worker_files import WorkerFiles

if TYPE_CHECKING:
    from interest_graph.store import Store


def read_rows(store: Store, table: Table) -> pa.Table:
    """All rows of the table, with its columns; none where it has not been written."""
    schema = schema_of(table)
    files, access = store.live_files(table, {}), store.worker_files(table)
    if files is not None and access is not None:
        return _read(access, store.location(table), files, schema)
    if not store.exists(table):
        return schema.empty_table()
    batches = store.read(table).select(*table.column_names)._collect_as_arrow()
    return pa.Table.from_batches(batches).cast(schema) if batches else schema.empty_table()


def append_rows(store: Store, table: Table, rows: pa.Table) -> None:
    """Add rows to the table in one commit."""
    files = store.files_of(table)
    if files is None:
        store.append(table, _frame(store, table, rows))
        return
    Transaction(store.spark, files.folder).commit(_written(files, table, rows))


def edit_rows(store: Store, table: Table, change: Callable[[pa.Table], pa.Table]) -> None:
    """Replace all rows by what `change` makes of them, in one commit; once, without retries."""
    files = store.files_of(table)
    if files is None:
        changed = change(read_rows(store, table))
        store.replace(table, _frame(store, table, changed))
        return
    transaction = Transaction(store.spark, files.folder)
    held = transaction.state.files
    changed = change(_read(files.access, files.folder, held, schema_of(table)))
    transaction.commit(_written(files, table, changed), held, {})


def schema_of(table: Table) -> pa.Schema:
    """The table's columns as Arrow's; times are UTC."""
    return to_arrow_schema(table.schema)


def rows_of(table: Table, rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Rows, given as tuples in the order of the table's columns; times aware."""
    schema = schema_of(table)
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [
        pa.array(map(_plain, values), field.type)
        for values, field in zip(columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _plain(value: Any) -> Any:
    """Arrow takes maps as lists of pairs."""
    return list(value.items()) if isinstance(value, dict) else value


def _read(
    access: WorkerFiles, folder: str, files: Sequence[LiveFile], schema: pa.Schema
) -> pa.Table:
    parts = [schema.empty_table()]
    for file in files:
        with access.open(f"{folder}/{file.path}") as stream:
            part = pq.ParquetFile(stream).read()
        for name, value in file.partition.items():
            part = part.append_column(name, pa.array([value] * len(part), pa.string()))
        parts.append(part.select(schema.names).cast(schema))
    return pa.concat_tables(parts)


def _written(files: TableFiles, table: Table, rows: pa.Table) -> list[NewFile]:
    """Write the rows to one file a partition."""
    writer = files.writer("driver")
    by = list(table.partition_by)
    whole = rows.drop_columns(by)
    for values in rows.select(by).group_by(by).aggregate([]).to_pylist() if by else [{}]:
        mask = pa.array([True] * len(rows))
        for name, value in values.items():
            mask = pc.and_(mask, pc.equal(rows[name], value))
        writer.write(whole.filter(mask), values)
    return writer.close()


def _frame(store: Store, table: Table, rows: pa.Table) -> Any:
    maps = {field.name for field in rows.schema if pa.types.is_map(field.type)}
    tuples = [
        tuple(dict(v) if name in maps and v is not None else v for name, v in row.items())
        for row in rows.to_pylist()
    ]
    return store.spark.createDataFrame(tuples, table.schema).coalesce(1)
