"""Speed of reading CSV, access logs and Parquet, beside DuckDB reading the same files.

    python tests/benchmarks/formats.py FOLDER [--records 3000000] [--only csv log parquet json]

Makes the files in FOLDER unless they are there: records of users, items, actions and times. Then,
each in a process of its own with two cores: the readers' kernels alone (two processes, records as
received), the whole ingest job (to bronze.events, start-up of Spark not counted), and DuckDB (all
columns as text, to a Parquet file). The last line is JSON: by format megabytes, and by contender
seconds, MB/s and records/s.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from made_log import ROOT
from timed_copy import timed_copy

AS_OF = datetime(2025, 1, 1, tzinfo=UTC)
COLUMNS = {"event_id": "id", "user_id": "u", "item_id": "i", "action": "a", "event_time": "t"}
OF_LOG = {"user_id": "host", "item_id": "path", "action": "method", "event_time": "time"}
LOG_TIME = "dd/MMM/yyyy:HH:mm:ss Z"
PIECES = 8  # that two processes read in turn
MAKE = {
    "csv": "COPY ({records}) TO '{file}' (FORMAT csv, HEADER)",
    "json": "COPY ({records}) TO '{file}' (FORMAT json)",
    "parquet": "COPY ({records}) TO '{file}' (FORMAT parquet, ROW_GROUP_SIZE 200000)",
    "log": """COPY (SELECT u || ' - - [' || strftime(make_timestamp(t * 1000000),
            '%d/%b/%Y:%H:%M:%S +0000') || '] "' || upper(a) || ' /' || i || ' HTTP/1.1" 200 '
            || (t % 9000) || ' "-" "' || agent || '"' FROM ({records}))
        TO '{file}' (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\t')""",
}
RECORDS = """SELECT 'e' || n AS id, 'u' || (hash(n) % 60000) AS u,
    'i' || (hash(n + 1) % 20000) AS i,
    (['get', 'post', 'head'])[1 + n % 3] AS a, 1704067200 + n AS t,
    round((hash(n + 2) % 10000) / 100.0, 2) AS v,
    'Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0' AS agent
    FROM range({n}) AS numbers(n)"""
_LINE = r'^(\S+) (\S+) (\S+) \[([^\]]+)\] "(\S+) (\S+) ?(\S*)" (\d{3}) (\S+) "([^"]*)" "([^"]*)"$'
_FIELDS = """['host', 'ident', 'user', 'time', 'method', 'path', 'protocol', 'status', 'size',
    'referrer', 'agent']"""
DUCKDB = {
    "csv": "SELECT * FROM read_csv('{file}', all_varchar = true)",
    "json": "SELECT * FROM read_json('{file}', format = 'newline_delimited', columns = {{id: "
    "'VARCHAR', u: 'VARCHAR', i: 'VARCHAR', a: 'VARCHAR', t: 'VARCHAR', v: 'VARCHAR', "
    "agent: 'VARCHAR'}})",
    "parquet": "SELECT COLUMNS(*)::VARCHAR FROM read_parquet('{file}')",
    "log": "SELECT unnest(regexp_extract(line, '{line}', {fields})) FROM read_csv('{file}',"
    " columns = {{line: 'VARCHAR'}}, header = false, delim = '\t', quote = '', escape = '',"
    " auto_detect = false)",
}


def main() -> None:
    """Run every contender on every format and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=int, default=3_000_000)
    parser.add_argument("--only", nargs="+", choices=MAKE, default=list(MAKE))
    parser.add_argument("--contender", choices=CONTENDERS)
    options = parser.parse_args()
    folder = options.folder / f"formats-{options.records}"
    if options.contender:
        (name,) = options.only
        print(json.dumps(CONTENDERS[options.contender](name, folder)))
        return
    print(json.dumps({name: measure(name, folder, options) for name in options.only}))


def measure(name: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Make the file of a format unless it is there, and run the contenders on it."""
    file = file_of(name, folder)
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        records = RECORDS.format(n=options.records)
        duckdb.execute(MAKE[name].format(records=records, file=file))
    megabytes = file.stat().st_size / 1e6
    found: dict[str, Any] = {"megabytes": round(megabytes, 1)}
    for contender in CONTENDERS:
        run = [sys.executable, __file__, str(options.folder), "--records", str(options.records)]
        run += ["--only", name, "--contender", contender]
        done = subprocess.run(run, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        result = json.loads(done.stdout.splitlines()[-1])
        if result["records"] != options.records:
            raise SystemExit(f"{contender} read {result['records']} records of {name}")
        found[contender] = {
            "seconds": round(result["seconds"], 2),
            "mb_per_second": round(megabytes / result["seconds"], 1),
            "records_per_second": round(options.records / result["seconds"]),
        }
        print(name, contender, found[contender], file=sys.stderr)
    return found


def file_of(name: str, folder: Path) -> Path:
    """The file of a format."""
    return folder / name / f"events.{name}"


def source_of(name: str, folder: Path) -> dict[str, Any]:
    """The source's configuration."""
    source = {"name": "events", "format": name, "path": str(file_of(name, folder).parent)}
    if name == "log":
        return {**source, "columns": OF_LOG, "time": {"format": LOG_TIME}}
    return {**source, "columns": COLUMNS, "time": {"format": "epoch_s"}}


def kernels(name: str, folder: Path) -> dict[str, Any]:
    """The readers alone: pieces of the file, by two processes."""
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(read_piece, [name] * 2, [folder] * 2, [None] * 2))  # imports
        started = time.monotonic()
        records = sum(pool.map(read_piece, [name] * PIECES, [folder] * PIECES, range(PIECES)))
        return {"seconds": time.monotonic() - started, "records": records}


def read_piece(name: str, folder: Path, number: int | None) -> int:
    """The number of records of a piece of the file."""
    import pyarrow.parquet as pq

    from interest_graph.config.sources import SourceConfig
    from interest_graph.events.readers import Split, inspect_file, read_split

    source = SourceConfig.model_validate(source_of(name, folder))
    path = str(file_of(name, folder))
    layout = inspect_file(path, source)
    assert layout is not None
    if number is None:
        return 0
    size = pq.ParquetFile(path).num_row_groups if name == "parquet" else os.path.getsize(path)
    low, high = size * number // PIECES, size * (number + 1) // PIECES
    split = Split("events", path, low, high - low)
    return sum(len(records) for records in read_split(split, source, layout))


def ingest(name: str, folder: Path) -> dict[str, Any]:
    """The ingest job, to bronze.events."""
    from interest_graph.config import Settings
    from interest_graph.jobs.ingest import JOB
    from interest_graph.pipeline import Pipeline
    from interest_graph.session import open_session

    warehouse = folder / "warehouse"
    shutil.rmtree(warehouse, ignore_errors=True)
    tree = {
        "project": "formats",
        "sources": [source_of(name, folder)],
        "warehouse": {"table_root": str(warehouse)},
    }
    spark = {"spark.master": "local[2]", "spark.driver.memory": "2g"}
    pipeline = Pipeline(
        Settings.model_validate(tree), open_session("formats", settings=spark, is_light=True), AS_OF
    )
    started = time.monotonic()
    pipeline.run(JOB)
    return {"seconds": time.monotonic() - started, "records": pipeline.rows["records"]}


def by_duckdb(name: str, folder: Path) -> dict[str, Any]:
    """DuckDB to a Parquet file, by two threads."""
    query = DUCKDB[name].format(file=file_of(name, folder), line=_LINE, fields=_FIELDS)
    seconds, records = timed_copy(query, folder / "duckdb.parquet")
    return {"seconds": seconds, "records": records}


CONTENDERS = {"kernels": kernels, "ingest": ingest, "duckdb": by_duckdb}

if __name__ == "__main__":
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    main()
