"""Build numbers of graph versions and model runs: from 1, in the order in which they were built."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F


def newest_build(builds: DataFrame | None) -> Row | None:
    """The row with the highest `build`; None without rows or without a table."""
    return builds.orderBy(F.desc("build")).first() if builds is not None else None


def next_build(builds: DataFrame | None, column: str, name: str) -> int:
    """The build number for `name`, a value of `column`: that of the newest build plus 1.

    If the newest build has this name already, it keeps its number: a repeated run changes nothing.
    """
    newest = newest_build(builds)
    if newest is None:
        return 1
    return int(newest["build"]) + (0 if newest[column] == name else 1)


def expired_builds(
    graphs: Mapping[str, int],
    models: Mapping[str, tuple[int, str]],
    served: Collection[tuple[str, str]],
    *,
    keep: int,
) -> tuple[list[str], list[str]]:
    """The graph versions and the model runs that nobody needs any more, each in order.

    The newest `keep` of both are needed, what consumers are served, and the graph of every model
    that is. graphs: build by graph_version; models: build and graph_version by model_run; served:
    model_run and graph_version of the recommendations.
    """
    needed_models = {model for model, _ in served} | _newest(
        {model: build for model, (build, _) in models.items()}, keep
    )
    needed_graphs = {graph for _, graph in served} | _newest(graphs, keep)
    needed_graphs |= {graph for model, (_, graph) in models.items() if model in needed_models}
    return sorted(graphs.keys() - needed_graphs), sorted(models.keys() - needed_models)


def _newest(builds: Mapping[str, int], n: int) -> set[str]:
    return set(sorted(builds, key=lambda name: builds[name], reverse=True)[:n])
