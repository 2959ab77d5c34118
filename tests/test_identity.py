"""Runs and studies are named by what decides their result."""

from __future__ import annotations

from interest_graph.config import TrainConfig
from interest_graph.identity import digest


def test_a_name_changes_with_what_decides_the_result_alone():
    config = TrainConfig()
    name = digest([config.decisive(), "graph"], 12)

    tracked = TrainConfig.model_validate({"mlflow": {"tracking_uri": "sqlite:///m.db"}})
    assert digest([tracked.decisive(), "graph"], 12) == name
    others = [(TrainConfig(seed=7), "graph"), (config, "other"), (config, "graph", "space")]
    names = {digest([settings.decisive(), *rest], 12) for settings, *rest in others}
    assert len({name, *names}) == 4
    assert len(name) == 12


def test_the_order_of_keys_changes_nothing():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
