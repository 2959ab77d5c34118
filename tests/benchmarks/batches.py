"""One log in one batch, in daily batches, in shuffled files, in 1 and in 64 partitions.

    python tests/benchmarks/batches.py FOLDER [--events 50000] [--days 30]

Each way is a process and a warehouse of its own. The last line is JSON: for each way its seconds
and the digest of silver.interactions, and whether all digests are equal.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from made_log import ROOT, open_made_job


def main() -> None:
    """Go every way; print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--way", choices=[*WAYS])
    options = parser.parse_args()
    if options.way:
        print(json.dumps(go(options)))
        return
    results = {}
    for way in WAYS:
        command = [sys.executable, __file__, *sys.argv[1:], "--way", way]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        results[way] = json.loads(done.stdout.splitlines()[-1])
        print(f"{way}: {results[way]}", file=sys.stderr)
    digests = {result["digest"] for result in results.values()}
    print(json.dumps({"events": options.events, "equal": len(digests) == 1, "ways": results}))


def go(options: argparse.Namespace) -> dict[str, Any]:
    """Take the log in and clean it one way, in as many batches as that way gives."""
    from interest_graph.jobs.clean import JOB as CLEAN
    from interest_graph.jobs.generate import JOB as GENERATE
    from interest_graph.jobs.ingest import JOB as INGEST

    deliver, n_partitions = WAYS[options.way]
    folder, inbox = options.folder, options.folder / "inbox" / options.way
    for leftover in (inbox, folder / "warehouses" / options.way):
        shutil.rmtree(leftover, ignore_errors=True)
    inbox.mkdir(parents=True)
    pipeline = open_made_job(
        folder / "log",
        folder / "warehouses" / options.way,
        {"events": options.events, "users": max(100, options.events // 50), "days": options.days},
        events=str(inbox),
        spark={
            "spark.sql.shuffle.partitions": str(n_partitions),
            "spark.sql.adaptive.coalescePartitions.enabled": "false",
            "spark.sql.files.maxPartitionBytes": "16m" if n_partitions < 8 else "128k",
        },
    )
    if not (folder / "log" / "events").exists():
        pipeline.run(GENERATE)
    started, n_batches = time.monotonic(), 0
    for files in deliver(sorted((folder / "log" / "events").glob("*/*.txt"))):
        for name, path in files:
            shutil.copyfile(path, inbox / name)
        for step in (INGEST, CLEAN):
            pipeline.run(step)
        n_batches += 1
    result = {"seconds": round(time.monotonic() - started, 1), "batches": n_batches}
    return result | digest_of(pipeline)


def digest_of(pipeline: Any) -> dict[str, Any]:
    """Number of rows and a digest of all of them, whatever their order."""
    from pyspark.sql import functions as F

    from interest_graph import tables

    facts = pipeline.store.read(tables.INTERACTIONS)
    row = F.xxhash64(*facts.columns)
    total = F.sum(row.cast("decimal(38,0)")).cast("string")  # unlike exclusive or, counts repeats
    digest = F.concat_ws("/", F.hex(F.bit_xor(row)), total)
    result = facts.agg(F.count(F.lit(1)).alias("rows"), digest.alias("digest")).first()
    return result.asDict() if result is not None else {}


Deliveries = Iterator[list[tuple[str, Path]]]


def at_once(files: list[Path]) -> Deliveries:
    """All files together."""
    yield [(f"{path.parent.name}.json", path) for path in files]


def day_by_day(files: list[Path]) -> Deliveries:
    """A batch for each day of delivery."""
    for path in files:
        yield [(f"{path.parent.name}.json", path)]


def shuffled(files: list[Path]) -> Deliveries:
    """Seven batches of files in no order, under names that tell nothing."""
    draw = random.Random(7)
    mixed = draw.sample(files, len(files))
    for first in range(7):
        yield [(f"{draw.random()}.json", path) for path in mixed[first::7]]


WAYS: dict[str, tuple[Callable[[list[Path]], Deliveries], int]] = {
    "one_batch": (at_once, 2),
    "one_partition": (at_once, 1),
    "64_partitions": (at_once, 64),
    "daily_batches": (day_by_day, 2),
    "shuffled_files": (shuffled, 2),
}

if __name__ == "__main__":
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    main()
