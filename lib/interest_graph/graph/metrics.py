"""Metrics of a graph as name -> value: size, density, degrees, modularity, cost of pruning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.config.graph import GraphConfig
from interest_graph.graph.fixed_point import exact_sum
from interest_graph.graph.local_runner import fits_worker
from interest_graph.graph.pruning_cost import recall_before_and_after
from interest_graph.graph.structure import components_of, described_edges
from interest_graph.ids import ITEM, USER, vertex_kind

Shape = dict[str, float]
Shapes = list[tuple[str, str, float]]


def shapes_of(
    before: DataFrame,
    pruned: DataFrame,
    edges: DataFrame,
    structure: DataFrame,
    config: GraphConfig,
) -> tuple[Shape, Shape]:
    """Metrics of the weighed edges before pruning, and metrics of the finished graph.

    before, pruned: user-item edges with last_ts, before and after pruning; edges: of all kinds;
    structure: `describe` of their `described_edges`.
    """
    recall_before, recall_after = recall_of(before, pruned, config)
    communities = modularities(described_edges(edges, config), structure)
    bound = effect_of_bound(pruned, max_items=config.projection.max_items_per_user)
    shape_before = shape_of(before, components_of(before, config))
    shape_after = shape_of(edges, structure) | communities
    return shape_before | recall_before, shape_after | recall_after | bound


def shape_of(edges: DataFrame, components: DataFrame) -> Shape:
    """Counts and weights by kind, density, sparsity, components and degrees.

    edges: src, dst, kind, weight; components: id, component. Density: fraction of all pairs of a
    user and an item with user_item edges that have one; sparsity: 1 - density.
    """
    shape = _by_kind(edges) | _vertices(edges) | _components(components) | degrees_of(edges)
    users, items = shape.pop("_users"), shape.pop("_items")
    possible = users * items
    density = shape.get("edges.user_item", 0.0) / possible if possible else 0.0
    return shape | {"density": density, "sparsity": 1.0 - density}


def shape_rows(before: Shape, after: Shape) -> Shapes:
    """Rows (stage, metric, value) for stages before and after; adds weight_kept_fraction."""
    kept = {"weight_kept_fraction": after["weight.user_item"] / before["weight.user_item"]}
    stages = {"before": before, "after": after | kept}
    return [
        (stage, name, value) for stage, shape in stages.items() for name, value in shape.items()
    ]


def modularities(edges: DataFrame, structure: DataFrame) -> Shape:
    """Number of communities and weighted modularity, for label propagation and for Leiden.

    edges: src, dst, weight; structure: `describe` of these edges.
    """
    methods = ("community", "modularity_community")
    labels = structure.select("id", *methods)
    src = labels.select(F.col("id").alias("src"), *[F.col(m).alias(f"_src_{m}") for m in methods])
    dst = labels.select(F.col("id").alias("dst"), *[F.col(m).alias(f"_dst_{m}") for m in methods])
    placed = edges.join(src, "src", how="inner").join(dst, "dst", how="inner")
    inside = [
        exact_sum(F.when(F.col(f"_src_{m}") == F.col(f"_dst_{m}"), F.col("weight")).otherwise(0.0))
        for m in methods
    ]
    totals = placed.agg(
        exact_sum(F.col("weight")).alias("_all"),
        *[total.alias(method) for total, method in zip(inside, methods, strict=True)],
    ).first()
    if totals is None or not totals["_all"]:
        return {}
    whole = float(totals["_all"])
    shape: Shape = {}
    for method in methods:
        n, chance = _expected_inside(structure, method, whole)
        shape[f"communities.{method}"] = n
        shape[f"modularity.{method}"] = float(totals[method]) / whole - chance
    return shape


def _expected_inside(structure: DataFrame, method: str, whole: float) -> tuple[float, float]:
    """Number of communities, and the share of weight within them expected by chance.

    By chance: edges drawn in proportion to the weighted degrees of their ends. whole: total weight.
    """
    sizes = structure.groupBy(method).agg(exact_sum(F.col("weighted_degree")).alias("_w"))
    share = F.col("_w") / (2.0 * whole)
    row = sizes.agg(F.count("*").alias("_n"), exact_sum(share * share).alias("_sum")).first()
    return (float(row["_n"]), float(row["_sum"])) if row is not None else (0.0, 0.0)


def recall_of(before: DataFrame, after: DataFrame, config: GraphConfig) -> tuple[Shape, Shape]:
    """Cost of pruning: recall@k of held-out edges on the graph before and after, in one worker.

    before, after: src, dst, weight, last_ts of user-item edges. See `recall_before_and_after`.
    Returns metrics of both stages; empty when recall_users is 0 or the edges do not fit one worker.
    """
    if not config.recall_users or not fits_worker(before, config):
        return {}, {}
    kept = after.select("src", "dst", F.lit(True).alias("is_kept"))
    marked = before.join(kept, ["src", "dst"], how="left").fillna(False, subset=["is_kept"])
    columns = marked.select(
        "src", "dst", "weight", F.unix_micros("last_ts").alias("last_ts"), "is_kept"
    )
    kernel = partial(_recall_rows, n_users=config.recall_users, k=config.recall_k)
    rows = columns.repartition(1).mapInPandas(kernel, "metric STRING, value DOUBLE").collect()
    found = {row["metric"]: float(row["value"]) for row in rows}
    return _recall_by_stage(found, config.recall_k) if found else ({}, {})


def _recall_by_stage(found: Shape, k: int) -> tuple[Shape, Shape]:
    users, name = {"held_out.users": found["n_users"]}, f"held_out.recall_{k}"
    old, new = found["recall_before"], found["recall_after"]
    lost = {"held_out.recall_lost_fraction": 1.0 - new / old} if old else {}
    return users | {name: old}, users | {name: new} | lost


def _recall_rows(
    batches: Iterable[pd.DataFrame], *, n_users: int, k: int
) -> Iterator[pd.DataFrame]:
    received = list(batches)
    if received:
        found = recall_before_and_after(
            pd.concat(received, ignore_index=True), n_users=n_users, k=k
        )
        if found:  # Spark cannot convert an empty frame: pandas does not know its types
            yield pd.DataFrame({"metric": list(found), "value": list(found.values())})


def _by_kind(edges: DataFrame) -> Shape:
    kinds = (
        edges.groupBy("kind")
        .agg(F.count("*").alias("n"), exact_sum(F.col("weight")).alias("w"))
        .collect()
    )
    counts = {f"edges.{row['kind']}": float(row["n"]) for row in kinds}
    weights = {f"weight.{row['kind']}": float(row["w"]) for row in kinds}
    return {"edges": sum(counts.values()), **counts, **weights}


def _vertices(edges: DataFrame) -> Shape:
    """Counts of vertices by kind; _users and _items, those with user_item edges."""
    joins = F.col("kind") == "user_item"
    ends = edges.select(F.explode(F.array("src", "dst")).alias("id"), joins.alias("_joins"))
    distinct = ends.groupBy("id").agg(F.max("_joins").alias("_joined"))
    kinds = distinct.groupBy(vertex_kind(F.col("id")).alias("kind")).agg(
        F.count("*").alias("n"), F.count_if("_joined").alias("joined")
    )
    found = {row["kind"]: (float(row["n"]), float(row["joined"])) for row in kinds.collect()}
    counts = {f"vertices.{kind}": n for kind, (n, _) in found.items()}
    joined = {"_users": found.get(USER, (0.0, 0.0))[1], "_items": found.get(ITEM, (0.0, 0.0))[1]}
    return {"vertices": sum(counts.values()), **counts, **joined}


def _components(components: DataFrame) -> Shape:
    sizes = components.groupBy("component").agg(F.count("*").alias("n"))
    row = sizes.agg(
        F.count("*").alias("k"), F.max("n").alias("top"), F.sum("n").alias("all")
    ).first()
    if row is None or not row["k"]:
        return {"components": 0.0, "largest_component_fraction": 0.0}
    largest = float(row["top"]) / float(row["all"])
    return {"components": float(row["k"]), "largest_component_fraction": largest}


def degrees_of(edges: DataFrame) -> dict[str, float]:
    """Distribution of the degrees of users and items in the user_item edges.

    edges: src, dst, kind. Returns degree.user.mean, degree.user.max, and for every power of two
    that occurs, such as 4, degree.user.from_4: the number of users of degree 4 to 7. The same for
    items.
    """
    of_kind = edges.where("kind = 'user_item'")
    sides = {"user": "src", "item": "dst"}
    ends = [
        of_kind.select(F.lit(side).alias("side"), F.col(end).alias("id"))
        for side, end in sides.items()
    ]
    degrees = ends[0].unionAll(ends[1]).groupBy("side", "id").agg(F.count("*").alias("n"))
    power = F.length(F.bin("n")) - 1  # of two; a logarithm could round across a boundary
    bins = degrees.groupBy("side", power.alias("power")).agg(
        F.count("*").alias("size"), F.sum("n").alias("total"), F.max("n").alias("top")
    )
    rows = bins.orderBy("side", "power").collect()  # at most 63 a side
    found: dict[str, float] = {}
    for side in sides:
        own = [row for row in rows if row["side"] == side]
        if own:
            n = sum(row["size"] for row in own)
            found[f"degree.{side}.mean"] = sum(row["total"] for row in own) / n
            found[f"degree.{side}.max"] = float(max(row["top"] for row in own))
        found |= {f"degree.{side}.from_{2 ** row['power']}": float(row["size"]) for row in own}
    return found


def effect_of_bound(edges: DataFrame, *, max_items: int) -> dict[str, float]:
    """Effect of projecting only the `max_items` heaviest edges of each user.

    edges: src, dst. Returns projection.bounded_users, the number of users with more edges, and
    projection.pairs_kept_fraction, the fraction of the pairs of items that are still counted.
    """
    n = F.least("n", F.lit(max_items))
    sizes = edges.groupBy("src").agg(F.count("*").alias("n"))
    row = sizes.agg(
        F.count_if(F.col("n") > max_items).alias("bounded"),
        F.sum(n * (n - 1)).alias("kept"),
        F.sum(F.col("n") * (F.col("n") - 1)).alias("possible"),
    ).first()
    if row is None or not row["possible"]:
        return {}
    kept = {"projection.pairs_kept_fraction": row["kept"] / row["possible"]}
    return {"projection.bounded_users": float(row["bounded"]), **kept}
