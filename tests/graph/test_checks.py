"""What stops a graph from being built is one line that names settings."""

from __future__ import annotations

import pytest
from pyspark.sql import functions as F

from interest_graph.config import GraphConfig
from interest_graph.errors import DataError
from interest_graph.graph.build import prune_edges
from interest_graph.graph.checks import require_bounded, require_edges, require_kept
from interest_graph.graph.weigh import to_graph_edges, weigh_edges

ACTIONS = {"listen": {"form": "linear"}}


@pytest.fixture
def weighed(events, as_of):
    """weighed(*events, **settings): their user-item edges."""

    def weigh(*rows, **settings):
        config = GraphConfig(**settings)
        return to_graph_edges(weigh_edges(events(*rows), as_of=as_of, config=config))

    return weigh


@pytest.mark.parametrize(
    ("rows", "settings", "line"),
    [
        ([], {}, r"silver.interactions is empty: clean kept no event; see silver.quarantine"),
        (
            [("u", "i", "view", -1.0, None), ("u", "j", "view", 30.0 * 80, None)],
            {},
            r"^no edge weighs anything: of 2 events 1 are after as_of, .* graph.half_life_days",
        ),
        ([("u", "i", "listen", 1.0, 0.0)], {"values": ACTIONS}, r"of value 0; .* graph.values"),
    ],
)
def test_a_graph_without_edges_tells_what_became_of_the_events(
    events, weighed, as_of, rows, settings, line
):
    with pytest.raises(DataError, match=line) as raised:
        require_edges(weighed(*rows, **settings), events(*rows), as_of=as_of)

    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("settings", "dropped"),
    [
        ({"prune": {"min_core": 5}}, "graph.prune.min_core: 5 drops 5"),
        ({"min_weight": 9.0}, "graph.min_weight: 9 drops 5"),
        (
            {"min_weight": 0.6, "edges_per_user": 1, "prune": {"max_age_days": 1, "min_core": 2}},
            "graph.prune.max_age_days: 1 drops 1, graph.min_weight: 0.6 drops 1, "
            "graph.edges_per_user: 1 drops 1, graph.prune.min_core: 2 drops 2",
        ),
    ],
)
def test_pruning_to_nothing_tells_which_rule_drops_how_many_edges(
    weighed, as_of, settings, dropped
):
    config = GraphConfig(action_weights={"skip": 0.5}, **settings)
    rows = [("u", "a"), ("u", "b"), ("v", "b")]
    edges = weighed(
        *[(user, item, "view", 0.5, None) for user, item in rows],
        ("v", "c", "view", 2.0, None),
        ("w", "d", "skip", 0.5, None),
        action_weights={"skip": 0.5},
    )
    pruned = prune_edges(edges, as_of=as_of, config=config)

    with pytest.raises(DataError) as raised:
        require_kept(edges, pruned, as_of=as_of, config=config)

    assert str(raised.value) == f"pruning leaves none of 5 user-item edges: {dropped}"


def test_weights_are_exact_up_to_2_to_the_53rd(weighed):
    rows = [("u", "c", "listen", 0.0, value) for value in (5e10, 2.0**53 - 5e10 - 3.0)]
    rows += [("u", "a", "listen", 0.0, 3.0)]

    edges = weighed(*rows, values=ACTIONS, half_life_days=None)

    require_bounded(edges)
    found = {row.dst: row.weight for row in edges.collect()}
    assert found == {"i:c": 2.0**53 - 3.0, "i:a": 3.0}


@pytest.mark.parametrize(
    "values",
    [(2.0**53, 2.0), (1e15,) * 10, (2.0**55,), (2.0**62,) * 3, (1e300,), (float("inf"), 1.0)],
)
@pytest.mark.parametrize("settings", [{}, {"saturate_at": 5.0}, {"rarity": {"kind": "bm25"}}])
def test_weights_beyond_that_name_the_settings(weighed, values, settings):
    rows = [("u", f"i{n % 2}", "listen", 0.0, value) for n, value in enumerate(values)]

    edges = weighed(*rows, values=ACTIONS, half_life_days=None, **settings)

    if settings and max(values) < 2.0**55:
        require_bounded(edges)  # the formula has made the weights small
        return
    with pytest.raises(DataError, match=r"^the weights of all edges .* user_item; see clean"):
        require_bounded(edges)


def test_heavy_social_edges_name_their_sources(edges):
    given = edges(("u:a", "u:b", 1e300), ("u:a", "u:c", 1.0)).withColumn("kind", F.lit("social"))

    with pytest.raises(DataError, match=r"sources of kind social_edges; .* u:a-u:b \(1e\+300\)"):
        require_bounded(given)
