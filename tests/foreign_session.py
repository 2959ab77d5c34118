"""Ingests and cleans a log in a Spark session that somebody else started; a program of its own.

Arguments: folder of the log, and a JSON object of the settings that the session's user made. Prints
one JSON line: the facts, what the quarantine holds, and the session's settings at the end.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from interest_graph.pipeline import Pipeline

DELTA = {
    "spark.master": "local[2]",
    "spark.ui.enabled": "false",
    "spark.driver.memory": "1g",
    "spark.ui.showConsoleProgress": "false",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}
WATCHED = (
    "spark.sql.session.timeZone",
    "spark.sql.legacy.timeParserPolicy",
    "spark.sql.execution.arrow.pyspark.enabled",
    "spark.sql.parquet.outputTimestampType",
    "spark.sql.ansi.enabled",
)
# Times without an offset: one that New York's clocks skip, one near midnight, some that are none.
LOG = """user,item,action,time
u1,i1,view,10.03.2024 02:30
u1,i2,view,10.03.2024 23:50
u2,i1,view,11.03.2024 00:10
u2,i2,view,32.03.2024 00:10
u3,i1,view,1.3.2024 7:05
u3,i2,view,11.03.2024 00:10 PM
"""


def write_log(folder: Path) -> Path:
    """Write the log and its pipeline's YAML; returns the YAML's path."""
    (folder / "log.csv").write_text(LOG)
    settings = {
        "warehouse": {"table_root": str(folder / "warehouse")},
        "sources": [
            {
                "name": "log",
                "path": str(folder / "log.csv"),
                "columns": {
                    "user_id": "user",
                    "item_id": "item",
                    "action": "action",
                    "event_time": "time",
                },
                "actions": {"view": "view"},
                "time": {"format": "dd.MM.yyyy HH:mm"},
            }
        ],
    }
    config = folder / "pipeline.yaml"
    config.write_text(json.dumps(settings))  # JSON is YAML
    return config


def facts_of(config: Path) -> dict[str, Any]:
    """Take the log in and clean it; the rows with their times as seconds."""
    pipeline = Pipeline.open(config, as_of=datetime(2024, 4, 1, tzinfo=UTC))
    pipeline.run("ingest")
    pipeline.run("clean")
    interactions = pipeline.read("silver.interactions")
    columns = ("user_id", "item_id", "CAST(event_date AS STRING)", "CAST(event_ts AS DOUBLE)")
    refused = pipeline.read("silver.quarantine").select("position", "reasons")
    return {
        "facts": sorted(map(list, interactions.selectExpr(*columns).collect())),
        "refused": sorted(map(list, refused.collect())),
    }


if __name__ == "__main__":
    root, users_own = Path(sys.argv[1]), json.loads(sys.argv[2])
    builder = SparkSession.builder
    for name, setting in {**DELTA, **users_own}.items():
        builder = builder.config(name, setting)
    session = builder.getOrCreate()
    found = facts_of(write_log(root))
    found["settings"] = {name: session.conf.get(name) for name in WATCHED}
    print(json.dumps(found))
