"""Which builds of graphs and models are kept."""

from __future__ import annotations

from interest_graph.builds import expired_builds

GRAPHS = {"g1": 1, "g2": 2, "g3": 3, "g4": 4}
MODELS = {"m1": (1, "g1"), "m2": (2, "g1"), "m3": (3, "g2"), "m4": (4, "g4")}


def test_the_newest_builds_stay_and_so_do_the_graphs_of_models_that_stay():
    assert expired_builds(GRAPHS, MODELS, [], keep=2) == (["g1"], ["m1", "m2"])
    assert expired_builds(GRAPHS, MODELS, [], keep=1) == (["g1", "g2", "g3"], ["m1", "m2", "m3"])
    assert expired_builds(GRAPHS, MODELS, [], keep=4) == ([], [])


def test_what_consumers_are_served_stays_with_its_graph():
    served = [("m2", "g1")]

    assert expired_builds(GRAPHS, MODELS, served, keep=1) == (["g2", "g3"], ["m1", "m3"])
    assert expired_builds(GRAPHS, {}, [("m9", "g3")], keep=1) == (["g1", "g2"], [])


def test_order_is_by_build_and_not_by_name():
    assert expired_builds({"z": 1, "a": 2}, {}, [], keep=1) == (["z"], [])
    assert expired_builds({}, {}, [], keep=1) == ([], [])
