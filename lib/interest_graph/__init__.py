"""From raw behaviour logs in a data lake to recommendations in the same lake.

The functions listed here take and return DataFrames; they are those that the jobs are made of. A
module is imported when one of its names is first used, which keeps importing the package fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_NAMES = {
    "interest_graph.contract": ("Table",),
    "interest_graph.job": ("Job", "Run"),
    "interest_graph.pipeline": ("Pipeline",),
    "interest_graph.registry": ("all_jobs", "find_job"),
    "interest_graph.session": ("open_session",),
    "interest_graph.store": ("Store",),
    "interest_graph.config": (
        "CleanConfig",
        "EvaluateConfig",
        "FeaturesConfig",
        "GraphConfig",
        "RecommendConfig",
        "Settings",
        "SourceConfig",
        "SplitConfig",
        "TrainConfig",
        "load_settings",
    ),
    "interest_graph.errors": ("InterestGraphError",),
    "interest_graph.ids": ("user_item_pairs",),
    "interest_graph.events.clean_records": ("clean_records",),
    "interest_graph.features.text": ("encode_texts", "hash_texts"),
    "interest_graph.graph.weigh": ("to_graph_edges", "weigh_edges"),
    "interest_graph.graph.build": ("connect", "prune_edges"),
    "interest_graph.graph.project": ("project",),
    "interest_graph.graph.structure": ("describe",),
    "interest_graph.graph.versions": ("diff_communities", "diff_edges"),
    "interest_graph.graph.paths": ("followed_by", "hops_to", "personal_ranks"),
    "interest_graph.graph.vertices": ("vertices_of",),
    "interest_graph.train.edges": ("all_pairs",),
    "interest_graph.train.fitted": ("FittedModel", "Model"),
    "interest_graph.train.registry": ("make_model",),
    "interest_graph.recommend.topk": ("gather_histories", "top_k"),
    "interest_graph.recommend.cold_start": ("gather_all_histories", "rank_popular"),
    "interest_graph.recommend.explain": ("explain",),
    "interest_graph.evaluate.split": ("make_split",),
    "interest_graph.evaluate.protocol": ("score_users",),
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}
_MODULES = ("errors", "tables")

__all__ = sorted([*_MODULE_OF, *_MODULES, "__version__"])


# Names of earlier versions, and what stands in their place.
_GONE = {
    "Step": "Job",
    "run_step": "Pipeline.run",
    "load_step": "find_job",
    "type_events": "clean_records",
    "add_sessions": "clean_records",
    "user_item_edges": "to_graph_edges (to edges) or user_item_pairs (from edges)",
}


def __getattr__(name: str) -> Any:
    """Load the module behind a public name on first use."""
    if name in _GONE:
        raise AttributeError(f"interest_graph.{name} is gone: use interest_graph.{_GONE[name]}")
    if name in _MODULES:
        return import_module(f"interest_graph.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
