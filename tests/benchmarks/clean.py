"""Speed of ingest and clean on a made-up log, beside DuckDB and plain PySpark on the same work.

    python tests/benchmarks/clean.py FOLDER --events 10000000 [--heap 2g]

Makes the log in FOLDER unless it is there, then runs each contender in a process of its own with
two cores: JSON lines to clean tables (parse, validation, exact and retry duplicates, write; ours
also makes bronze, quarantine, sessions and accounts). Start-up of Spark is not counted. The last
line is JSON. Events are people's; repeats, bots and broken records come on top (`records`).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from made_log import ROOT, open_made_job
from timed_copy import timed_copy

ACTIONS = ("view", "cart", "favourite", "purchase")
RETRY_SECONDS = 10
LATEST = 1_707_955_200  # 2024-02-15, the configuration's as_of


def main() -> None:
    """Run every contender and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--heap", default="2g")
    parser.add_argument("--only", choices=["generate", *CONTENDERS])
    options = parser.parse_args()
    folder = options.folder / str(options.events)
    if options.only:
        task = generate if options.only == "generate" else CONTENDERS[options.only]
        print(json.dumps(task(folder, options.events, options.heap)))
        return
    if not (folder / "generated" / "events").exists():
        measure("generate", options)
    results = {name: measure(name, options) for name in CONTENDERS}
    ours = results["ours"]
    print(
        json.dumps(
            {
                "events": options.events,
                **ours,
                "events_per_second": round(ours["records"] / ours["seconds"]),
                "duckdb_seconds": results["duckdb"]["seconds"],
                "plain_pyspark_seconds": results["plain"]["seconds"],
                "cpu_seconds": {name: r["cpu_seconds"] for name, r in results.items()},
                "kept": {name: result["kept"] for name, result in results.items()},
            }
        )
    )


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run one contender in a process of its own; adds the processor seconds of all its processes.

    These count the start of Python and of Spark, too.
    """
    arguments = [str(options.folder), "--events", str(options.events), "--heap", options.heap]
    command = [sys.executable, __file__, *arguments, "--only", name]
    with tempfile.TemporaryFile("w+") as out:
        process = psutil.Popen(command, stdout=out, cwd=ROOT)
        seconds = cpu_seconds(process)
        if process.wait() != 0:
            raise SystemExit(f"{name} failed")
        out.seek(0)
        result: dict[str, Any] = json.loads(out.read().splitlines()[-1])
    result["cpu_seconds"] = round(seconds, 1)
    print(f"{name}: {result}", file=sys.stderr)
    return result


def cpu_seconds(process: psutil.Popen) -> float:
    """Processor seconds of a process and its descendants, looked at five times a second."""
    used: dict[int, float] = {}
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for one in [process, *process.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    times = one.cpu_times()
                    used[one.pid] = times.user + times.system
        time.sleep(0.2)
    return sum(used.values())


def open_pipeline(folder: Path, events: int, heap: str) -> Any:
    """A job of the shipped configuration on tables and files within the folder."""
    return open_made_job(
        folder / "generated",
        folder / "warehouse",
        {
            "events": events,
            "users": max(100, events // 50),
            "items": 20_000,
            "bots_per_rule": 2 + events // 200_000,
        },
        clean={"bots": None, "same_items": None},  # the others look for neither
        spark={"spark.driver.memory": heap, "spark.local.dir": str(folder / "local")},
    )


def generate(folder: Path, events: int, heap: str) -> dict[str, Any]:
    """Make the log."""
    from interest_graph.jobs.generate import JOB

    pipeline = open_pipeline(folder, events, heap)
    started = time.monotonic()
    pipeline.run(JOB)
    return {"seconds": round(time.monotonic() - started, 1), "rows": pipeline.rows}


def ours(folder: Path, events: int, heap: str) -> dict[str, Any]:
    """Ingest and clean into a fresh warehouse."""
    import shutil

    from interest_graph.handover import Handover
    from interest_graph.jobs.clean import JOB as CLEAN
    from interest_graph.jobs.ingest import JOB as INGEST
    from interest_graph.memory import PeakMemory

    for table in ("bronze", "silver"):
        shutil.rmtree(folder / "warehouse" / table, ignore_errors=True)
    pipeline, handover = open_pipeline(folder, events, heap), Handover()
    seconds = {}
    with PeakMemory() as memory:
        for step in (INGEST, CLEAN):
            started = time.monotonic()
            pipeline.run(step, handover=handover)  # as run-all does
            seconds[step.name] = round(time.monotonic() - started, 1)
    return {
        "records": pipeline.rows["rows_in"],
        "seconds": round(sum(seconds.values()), 1),
        **{f"{name}_seconds": value for name, value in seconds.items()},
        "kept": pipeline.rows["kept"],
        "peak_rss_mb": round(memory.peak_mb),
        "worker_mb": round(memory.worker_mb),
        "heap": heap,
    }


def plain(folder: Path, events: int, heap: str) -> dict[str, Any]:
    """What one would write in PySpark on a first day."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    spark = plain_session(folder, heap)
    schema = "id STRING, u STRING, i STRING, a STRING, t STRING, v STRING, agent STRING"
    started = time.monotonic()
    raw = spark.read.schema(schema).json(str(folder / "generated/events"))
    typed = raw.withColumns(
        {
            "event_ts": F.timestamp_seconds(F.col("t").cast("bigint")),
            "value": F.col("v").cast("double"),
        }
    )
    good = typed.where("u <> '' AND i <> '' AND event_ts IS NOT NULL AND event_ts >= '1990-01-01'")
    good = good.where(F.col("a").isin(*ACTIONS) & (F.col("t").cast("bigint") <= LATEST))
    good = good.where("v IS NULL OR value >= 0").dropDuplicates(["id"])
    same = Window.partitionBy("u", "i", "a", "event_ts").orderBy("id")
    first = good.withColumn("n", F.row_number().over(same)).where("n = 1").drop("n")
    order = Window.partitionBy("u", "i", "a").orderBy("event_ts")
    gap = F.col("event_ts").cast("long") - F.lag("event_ts").over(order).cast("long")
    kept = first.withColumn("gap", gap).where(f"gap IS NULL OR gap > {RETRY_SECONDS}").drop("gap")
    dated = kept.withColumn("event_date", F.to_date("event_ts"))
    target = str(folder / "plain")
    writer = dated.write.format("delta").mode("overwrite").option("overwriteSchema", "true")
    writer.partitionBy("event_date").save(target)
    seconds = round(time.monotonic() - started, 1)
    return {"seconds": seconds, "kept": spark.read.format("delta").load(target).count()}


def plain_session(folder: Path, heap: str) -> Any:
    """Spark as it comes, with Delta."""
    from pyspark.sql import SparkSession

    settings = {
        "spark.master": "local[2]",
        "spark.driver.memory": heap,
        "spark.local.dir": str(folder / "local"),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    }
    return SparkSession.builder.config(map=settings).getOrCreate()


def duckdb(folder: Path, events: int, heap: str) -> dict[str, Any]:
    """The same work, hand-written for DuckDB."""
    actions = ", ".join(f"'{action}'" for action in ACTIONS)
    names = ("id", "u", "i", "a", "t", "v", "agent")
    columns = ", ".join(f"{name}: 'VARCHAR'" for name in names)
    files = str(folder / "generated/events/*/*.txt")
    query = f"""
        WITH typed AS (
            SELECT *, TRY_CAST(t AS BIGINT) AS second, TRY_CAST(v AS DOUBLE) AS value
            FROM read_json('{files}', format = 'newline_delimited', columns = {{{columns}}},
                ignore_errors = true)
        ), good AS (
            SELECT id, u, i, a, second, value FROM typed
            WHERE u <> '' AND i <> '' AND a IN ({actions})
                AND second BETWEEN 631152000 AND {LATEST} AND (v IS NULL OR value >= 0)
        ), distinct_ids AS (
            SELECT u, id, second // 86400 AS day, min(second) AS second, first(i) AS i,
                first(a) AS a, max(value) AS value
            FROM good GROUP BY u, id, day
        ), lagged AS (
            SELECT *, lag(second) OVER (PARTITION BY u, i, a ORDER BY second, id) AS previous
            FROM distinct_ids
        )
        SELECT id, u, i, a, to_timestamp(second) AS event_ts, value FROM lagged
        WHERE previous IS NULL OR second - previous > {RETRY_SECONDS}"""
    scratch = str(folder / "duckdb")
    seconds, kept = timed_copy(query, folder / "duckdb.parquet", temp_directory=scratch)
    return {"seconds": round(seconds, 1), "kept": kept}


CONTENDERS = {"ours": ours, "duckdb": duckdb, "plain": plain}

if __name__ == "__main__":
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    main()
