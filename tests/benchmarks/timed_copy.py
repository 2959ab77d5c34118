"""How long DuckDB takes from a query to a Parquet file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import duckdb


def timed_copy(query: str, target: Path, **config: Any) -> tuple[float, int]:
    """Seconds and rows of the query written to the file, by two threads; config: DuckDB's."""
    database = duckdb.connect(config={"threads": 2, **config})
    started = time.monotonic()
    database.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet)")
    seconds = time.monotonic() - started
    (rows,) = database.execute(f"SELECT count(*) FROM '{target}'").fetchone() or (0,)
    return seconds, rows
