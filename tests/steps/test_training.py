"""Runs and studies are named by what decides their result."""

from __future__ import annotations

from interest_graph.config import TrainConfig
from interest_graph.steps.training import name_by_content


def test_a_name_changes_with_what_decides_the_result_alone():
    config = TrainConfig()
    name = name_by_content(config, "graph")

    tracked = TrainConfig.model_validate({"mlflow": {"tracking_uri": "sqlite:///m.db"}})
    assert name_by_content(tracked, "graph") == name
    others = [(TrainConfig(seed=7), "graph"), (config, "other"), (config, "graph", "space")]
    assert len({name, *(name_by_content(*other) for other in others)}) == 4
    assert len(name) == 12
