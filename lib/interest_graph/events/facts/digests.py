"""MD5 digests of columns, many at once."""

from __future__ import annotations

import duckdb
import pyarrow as pa

SEPARATOR = "\x01"


def md5_of(*columns: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    """Strings of 32 hexadecimal digits: MD5 of each row's texts, joined by SEPARATOR."""
    if not len(columns[0]):
        return pa.chunked_array([], pa.string())
    names = [f"c{place}" for place in range(len(columns))]
    texts = ", ".join(f"{name}::VARCHAR" for name in names)
    query = f"SELECT md5(concat_ws(chr({ord(SEPARATOR)}), {texts})) AS digest FROM parts"
    with in_memory() as database:
        database.register("parts", pa.table(dict(zip(names, columns, strict=True))))
        return database.sql(query).to_arrow_table()["digest"].cast(pa.string())


def in_memory() -> duckdb.DuckDBPyConnection:
    """A database of one thread, as a Spark task has one core, that keeps the order of rows."""
    return duckdb.connect(config={"threads": 1, "preserve_insertion_order": True})
