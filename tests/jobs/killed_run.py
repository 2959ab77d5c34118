"""Ingests and cleans while workers are killed; a program of its own, since sessions are.

Arguments: a YAML file, a folder for the marks of killed tasks. Prints one JSON line: the facts.
"""

from __future__ import annotations

import json
import sys

from interest_graph import tables
from interest_graph.pipeline import Pipeline

SETTINGS = {
    "spark.master": "local[2,4]",  # plain local[2] never tries a task again
    "spark.driver.memory": "1g",
    "spark.sql.shuffle.partitions": "2",
    "spark.python.daemon.module": "tests.jobs.killing_daemon",
}

if __name__ == "__main__":
    pipeline = Pipeline.open(sys.argv[1], spark_settings=SETTINGS, is_light=True)
    for job in ("ingest", "clean"):
        pipeline.run(job)
    rows = pipeline.store.read_rows(tables.INTERACTIONS).to_pylist()
    print(json.dumps(sorted(map(str, rows))))
