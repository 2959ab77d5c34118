"""Every table of the suite; the only coupling between its jobs."""

from interest_graph.contract import Table
from interest_graph.tables import bronze, gold, graph, model, ops, silver
from interest_graph.tables.bronze import EVENTS, FILES
from interest_graph.tables.gold import METRICS, RECOMMENDATIONS
from interest_graph.tables.graph import (
    COMMUNITIES,
    COMMUNITY_CHANGES,
    EDGE_CHANGES,
    EDGES,
    GRAPH_METRICS,
    GRAPH_VERSIONS,
    VERTICES,
)
from interest_graph.tables.model import (
    EMBEDDINGS,
    ITEM_WEIGHTS,
    MODELS,
    PARTITION,
    SHARDS,
    TRAINING_LOG,
    TRIALS,
)
from interest_graph.tables.ops import RUNS, SYNTHETIC_EVENTS, SYNTHETIC_ITEMS
from interest_graph.tables.silver import (
    ATTRIBUTE_FEATURES,
    ATTRIBUTE_STATISTICS,
    BATCHES,
    BOTS,
    FEATURES,
    INTERACTIONS,
    ITEM_ALIASES,
    ITEMS,
    QUARANTINE,
    SOCIAL_EDGES,
    USERS,
    VALUE_CAPS,
)

ALL_TABLES: dict[str, Table] = {
    table.name: table
    for schema in (bronze, silver, graph, model, gold, ops)
    for table in vars(schema).values()
    if isinstance(table, Table)
}

__all__ = [
    "ALL_TABLES",
    "ATTRIBUTE_FEATURES",
    "ATTRIBUTE_STATISTICS",
    "BATCHES",
    "BOTS",
    "COMMUNITIES",
    "COMMUNITY_CHANGES",
    "EDGES",
    "EDGE_CHANGES",
    "EMBEDDINGS",
    "EVENTS",
    "FEATURES",
    "FILES",
    "GRAPH_METRICS",
    "GRAPH_VERSIONS",
    "INTERACTIONS",
    "ITEMS",
    "ITEM_ALIASES",
    "ITEM_WEIGHTS",
    "METRICS",
    "MODELS",
    "PARTITION",
    "QUARANTINE",
    "RECOMMENDATIONS",
    "RUNS",
    "SHARDS",
    "SOCIAL_EDGES",
    "SYNTHETIC_EVENTS",
    "SYNTHETIC_ITEMS",
    "TRAINING_LOG",
    "TRIALS",
    "USERS",
    "VALUE_CAPS",
    "VERTICES",
]
