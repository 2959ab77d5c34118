"""The pruned weighted interest graph by version, its shape and its changes."""

from __future__ import annotations

from interest_graph.contract import Table

VERTICES = Table(
    name="graph.vertices",
    columns="""
        graph_version STRING NOT NULL COMMENT 'settings, as-of time and input versions, digested',
        id            STRING NOT NULL COMMENT 'u:<user_id>, i:<item_id> or t:<interest>',
        kind          STRING NOT NULL COMMENT 'user, item or interest',
        key           STRING NOT NULL COMMENT 'the id without its prefix',
        name          STRING COMMENT 'title or interest name, for people',
        attributes    MAP<STRING, STRING> COMMENT 'of silver.users or silver.items, if any',
        vector        ARRAY<FLOAT> COMMENT 'of the text of an item, if any',
        n_events      BIGINT COMMENT 'events of the user or item up to the as-of time',
        n_neighbours  BIGINT COMMENT 'items of the user, users of the item, before pruning',
        first_ts      TIMESTAMP COMMENT 'first of these events',
        last_ts       TIMESTAMP COMMENT 'last of these events'""",
    key=("graph_version", "id"),
    writer="build_graph",
    comment="Vertices of the interest graph",
    partition_by=("graph_version",),
    checks={"known_kind": "kind IN ('user', 'item', 'interest')"},
)

EDGES = Table(
    name="graph.edges",
    columns="""
        graph_version STRING NOT NULL COMMENT 'as in graph.vertices',
        src           STRING NOT NULL COMMENT 'vertex id',
        dst           STRING NOT NULL COMMENT 'vertex id',
        kind          STRING NOT NULL COMMENT 'user_item, item_item, item_interest, social ...',
        weight        DOUBLE NOT NULL COMMENT 'interest at the as-of time, or similarity',
        n_events      BIGINT NOT NULL COMMENT 'events behind the edge; 0 where none',
        first_ts      TIMESTAMP COMMENT 'first event behind the edge',
        last_ts       TIMESTAMP COMMENT 'last event behind the edge'""",
    key=("graph_version", "src", "dst", "kind"),
    writer="build_graph",
    comment="Pruned weighted edges of the interest graph",
    partition_by=("graph_version",),
    checks={"positive_weight": "weight > 0"},
)

GRAPH_METRICS = Table(
    name="graph.metrics",
    columns="""
        graph_version STRING NOT NULL COMMENT 'as in graph.vertices',
        stage         STRING NOT NULL COMMENT 'before or after pruning',
        metric        STRING NOT NULL COMMENT 'for example edges.user_item, density, components',
        value         DOUBLE NOT NULL COMMENT 'the measure'""",
    key=("graph_version", "stage", "metric"),
    writer="build_graph",
    comment="Shape of the graph before and after pruning",
    partition_by=("graph_version",),
)

COMMUNITIES = Table(
    name="graph.communities",
    columns="""
        graph_version     STRING NOT NULL COMMENT 'as in graph.vertices',
        id                STRING NOT NULL COMMENT 'vertex id',
        component         BIGINT NOT NULL COMMENT 'connected component',
        community         BIGINT NOT NULL COMMENT 'label propagation community',
        modularity_community BIGINT NOT NULL COMMENT 'Leiden community',
        pagerank          DOUBLE NOT NULL COMMENT 'unweighted PageRank, sums to 1',
        weighted_pagerank DOUBLE NOT NULL COMMENT 'PageRank along edge weights, sums to 1',
        core_number       BIGINT NOT NULL COMMENT 'largest k whose k-core holds the vertex',
        triangles         BIGINT NOT NULL COMMENT 'triangles at the vertex',
        clustering        DOUBLE NOT NULL COMMENT 'share of pairs of neighbours that are joined',
        degree            BIGINT NOT NULL COMMENT 'edges at the vertex',
        weighted_degree   DOUBLE NOT NULL COMMENT 'their weights, summed'""",
    key=("graph_version", "id"),
    writer="build_graph",
    comment="Structure of the graph per vertex",
    partition_by=("graph_version",),
)

GRAPH_VERSIONS = Table(
    name="graph.versions",
    columns="""
        graph_version  STRING NOT NULL COMMENT 'as in graph.vertices',
        build          BIGINT NOT NULL COMMENT 'counts builds from 1: the largest was built last',
        as_of          TIMESTAMP NOT NULL COMMENT 'nothing later was seen',
        formula        STRING NOT NULL COMMENT 'how the weight of a user-item edge is computed',
        settings       STRING NOT NULL COMMENT 'graph settings as JSON',
        input_versions MAP<STRING, BIGINT> NOT NULL COMMENT 'Delta versions of the tables read'""",
    key=("graph_version",),
    writer="build_graph",
    comment="What each version of the graph was built from",
)

EDGE_CHANGES = Table(
    name="graph.edge_changes",
    columns="""
        old_version STRING NOT NULL COMMENT 'graph_version that is compared',
        new_version STRING NOT NULL COMMENT 'graph_version that it is compared with',
        src         STRING NOT NULL COMMENT 'vertex id',
        dst         STRING NOT NULL COMMENT 'vertex id',
        kind        STRING NOT NULL COMMENT 'as in graph.edges',
        change      STRING NOT NULL COMMENT 'new, gone, stronger or weaker',
        old_weight  DOUBLE COMMENT 'null where the edge is new',
        new_weight  DOUBLE COMMENT 'null where the edge is gone'""",
    key=("old_version", "new_version", "src", "dst", "kind"),
    writer="diff",
    comment="Edges that differ between two versions of the graph",
    partition_by=("old_version", "new_version"),
    checks={"known_change": "change IN ('new', 'gone', 'stronger', 'weaker')"},
)

COMMUNITY_CHANGES = Table(
    name="graph.community_changes",
    columns="""
        old_version STRING NOT NULL COMMENT 'as in graph.edge_changes',
        new_version STRING NOT NULL COMMENT 'as in graph.edge_changes',
        change      STRING NOT NULL COMMENT 'split: of the old version; merged: of the new one',
        community   BIGINT NOT NULL COMMENT 'which community split, or is merged from others',
        parts       ARRAY<BIGINT> NOT NULL COMMENT 'communities of the other version, two or more',
        n_vertices  BIGINT NOT NULL COMMENT 'its vertices that are in both versions'""",
    key=("old_version", "new_version", "change", "community"),
    writer="diff",
    comment="Communities that split or merged between two versions of the graph",
    partition_by=("old_version", "new_version"),
)
