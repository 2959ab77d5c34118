"""The shipped configuration of a made-up log, at any size and in any warehouse."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
AS_OF = datetime(2024, 2, 15, tzinfo=UTC)  # the configuration's

Tree = dict[str, Any]


def open_made_job(
    log: Path,
    warehouse: Path,
    size: Tree,
    *,
    clean: Tree | None = None,
    events: str | None = None,
    spark: Tree | None = None,
) -> Any:
    """A job of conf/generated.yaml on the log in folder `log`, of this size.

    clean: settings of that section that differ; events: the folder of the event files, by default
    the log's; spark: settings of the session that differ from two cores and 1 GiB.
    """
    from interest_graph.config import Settings
    from interest_graph.pipeline import Pipeline
    from interest_graph.session import open_session

    tree = yaml.safe_load((ROOT / "conf/generated.yaml").read_text())
    tree["generate"] |= {**size, "path": str(log)}
    for source in tree["sources"]:
        source["path"] = source["path"].replace("data/generated", str(log))
    if events is not None:
        tree["sources"][0]["path"] = events
    tree["clean"] |= clean or {}
    tree["warehouse"] = {"table_root": str(warehouse)}
    settings = {"spark.master": "local[2]", "spark.driver.memory": "1g", **(spark or {})}
    # As the commands of ingest and clean open theirs.
    session = open_session("benchmark", settings=settings, is_light=True)
    return Pipeline(Settings.model_validate(tree), session, AS_OF)
