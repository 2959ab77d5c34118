"""The shape of a graph in numbers."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.graph.sums import exact_sum


def shape_of(edges: DataFrame, components: DataFrame) -> dict[str, float]:
    """Size, weight, density, sparsity and components.

    edges: src, dst, kind, weight; components: id, component of the vertices that behaviour joins.
    Density is the share of possible user-item pairs that have an edge; sparsity is the rest.
    """
    shape = _by_kind(edges) | _vertices(edges) | _components(components)
    users, items = shape.pop("_users"), shape.pop("_items")
    possible = users * items
    density = shape.get("edges.user_item", 0.0) / possible if possible else 0.0
    return shape | {"density": density, "sparsity": 1.0 - density}


def _by_kind(edges: DataFrame) -> dict[str, float]:
    kinds = (
        edges.groupBy("kind")
        .agg(F.count("*").alias("n"), exact_sum(F.col("weight")).alias("w"))
        .collect()
    )
    counts = {f"edges.{row['kind']}": float(row["n"]) for row in kinds}
    weights = {f"weight.{row['kind']}": float(row["w"]) for row in kinds}
    return {"edges": sum(counts.values()), **counts, **weights}


def _vertices(edges: DataFrame) -> dict[str, float]:
    """Vertices by first letter of the id, and those that user-item edges join."""
    joins = F.col("kind") == "user_item"
    ends = edges.select(F.explode(F.array("src", "dst")).alias("id"), joins.alias("_joins"))
    distinct = ends.groupBy("id").agg(F.max("_joins").alias("_joined"))
    kinds = distinct.groupBy(F.substring("id", 1, 1).alias("letter")).agg(
        F.count("*").alias("n"), F.count_if("_joined").alias("joined")
    )
    found = {row["letter"]: (float(row["n"]), float(row["joined"])) for row in kinds.collect()}
    names = {"u": "user", "i": "item", "t": "interest"}
    counts = {f"vertices.{names[letter]}": n for letter, (n, _) in found.items()}
    joined = {"_users": found.get("u", (0.0, 0.0))[1], "_items": found.get("i", (0.0, 0.0))[1]}
    return {"vertices": sum(counts.values()), **counts, **joined}


def _components(components: DataFrame) -> dict[str, float]:
    sizes = components.groupBy("component").agg(F.count("*").alias("n"))
    row = sizes.agg(
        F.count("*").alias("k"), F.max("n").alias("top"), F.sum("n").alias("all")
    ).first()
    if row is None or not row["k"]:
        return {"components": 0.0, "largest_component_fraction": 0.0}
    largest = float(row["top"]) / float(row["all"])
    return {"components": float(row["k"]), "largest_component_fraction": largest}
