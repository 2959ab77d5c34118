"""The maintain step: fewer files, the same rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from interest_graph import tables
from interest_graph.config import Settings, load_settings
from interest_graph.errors import ConfigError
from interest_graph.jobs.maintain import JOB


def test_small_files_become_one_and_old_ones_go(open_pipeline, spark):
    pipeline = open_pipeline(maintain={"retention_hours": 0, "allow_short_retention": True})
    for n in range(3):
        row = [(f"u{n}", {"n": str(n)})]
        pipeline.store.append(tables.USERS, spark.createDataFrame(row, tables.USERS.schema))

    pipeline.run(JOB)

    assert (
        pipeline.rows["silver.users.files_removed"],
        pipeline.rows["silver.users.files_added"],
    ) == (3, 1)
    folder = Path(pipeline.store.location(tables.USERS))
    assert len(list(folder.glob("*.parquet"))) == 1
    assert pipeline.store.read(tables.USERS).count() == 3


def test_a_short_retention_needs_a_word_more(tmp_path):
    (tmp_path / "p.yaml").write_text("maintain: {retention_hours: 24}")

    with pytest.raises(ConfigError, match="allow_short_retention"):
        load_settings(tmp_path / "p.yaml")
    assert Settings().maintain.retention_hours == 168
