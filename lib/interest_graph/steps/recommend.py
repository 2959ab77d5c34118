"""model.*, graph.* -> gold.recommendations: top items per user with reasons."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.errors import DataError
from interest_graph.graph.scratch import scratch
from interest_graph.job import Job, Step
from interest_graph.recommend.cold_start import gather_all_histories, rank_popular
from interest_graph.recommend.explain import POPULAR_REASON, explain
from interest_graph.recommend.graph import user_item_edges
from interest_graph.recommend.topk import top_k

POPULARITY = "popularity"


@dataclass(frozen=True)
class Inputs:
    """A model run with the graph that it was trained on.

    edges, vertices: that version of graph.edges and graph.vertices; histories: every known user.
    """

    model: Row
    edges: DataFrame
    vertices: DataFrame
    histories: DataFrame


def run(job: Job) -> None:
    """Rank, explain, and bring changed rows of gold.recommendations up to date."""
    with scratch(job.spark) as keep:
        inputs = _read(job)
        histories = keep(inputs.histories)
        with job.phase("ranking and explaining items"):
            ranked = keep(_rank_by_model(job, inputs, histories))
            explained = explain(ranked, histories, edges=inputs.edges, vertices=inputs.vertices)
            unserved = histories.join(ranked.select("user_id"), "user_id", how="left_anti")
            popular = _rank_by_popularity(job, inputs, unserved)
            by_model = explained.withColumn("strategy", F.lit(inputs.model.model))
            rows = keep(_with_lineage(by_model.unionByName(popular), inputs.model))
            _count(job, rows)
        with job.phase("writing recommendations"):
            job.store.merge(tables.RECOMMENDATIONS, rows, delete_others=True)


def _read(job: Job) -> Inputs:
    model = _newest_model(job)
    of_graph = F.col("graph_version") == model.graph_version
    edges = job.read(tables.EDGES).where(of_graph)
    interactions = job.read_if_written(tables.INTERACTIONS)
    if interactions is not None:
        interactions = interactions.where(F.col("event_ts") <= F.lit(model.as_of))
    histories = gather_all_histories(
        user_item_edges(edges), users=job.read_if_written(tables.USERS), interactions=interactions
    )
    return Inputs(model, edges, job.read(tables.VERTICES).where(of_graph), histories)


def _newest_model(job: Job) -> Row:
    """The row of model.runs to serve: the last built that saw nothing after the as-of time."""
    runs = job.read(tables.MODELS).where(F.col("as_of") <= F.lit(job.as_of))
    newest = runs.orderBy(F.desc("build")).first()
    if newest is None:
        raise DataError(f"{tables.MODELS.name}: no training run as of {job.as_of.isoformat()}")
    return newest


def _rank_by_model(job: Job, inputs: Inputs, histories: DataFrame) -> DataFrame:
    of_run = F.col("model_run") == inputs.model.model_run
    vectors = job.read(tables.EMBEDDINGS).where(of_run)
    return top_k(
        histories,
        k=job.settings.recommend.k,
        user_vectors=vectors.where(F.col("kind") == "user"),
        item_vectors=vectors.where(F.col("kind") == "item"),
        item_weights=job.read(tables.ITEM_WEIGHTS).where(of_run),
    )


def _rank_by_popularity(job: Job, inputs: Inputs, histories: DataFrame) -> DataFrame:
    edges = user_item_edges(inputs.edges)
    ranked = rank_popular(histories, edges, k=job.settings.recommend.k)
    return ranked.withColumns({"strategy": F.lit(POPULARITY), "reason": F.lit(POPULAR_REASON)})


def _with_lineage(recommendations: DataFrame, model: Row) -> DataFrame:
    lineage = {name: F.lit(model[name]) for name in ("model_run", "graph_version", "as_of")}
    return recommendations.withColumns(lineage).select(*tables.RECOMMENDATIONS.column_names)


def _count(job: Job, recommendations: DataFrame) -> None:
    users = F.sum((F.col("rank") == 1).cast("bigint")).alias("users")
    counts = recommendations.groupBy("strategy").agg(users, F.count("*").alias("listed"))
    found = {row["strategy"]: row for row in counts.collect()}  # two rows at most
    job.count("recommendations", sum(row["listed"] for row in found.values()))
    for strategy, row in sorted(found.items()):
        job.count(f"users by {strategy}", row["users"])


STEP = Step(
    name="recommend",
    run=run,
    reads=(
        tables.MODELS,
        tables.EMBEDDINGS,
        tables.ITEM_WEIGHTS,
        tables.EDGES,
        tables.VERTICES,
    ),
    optional=(tables.USERS, tables.INTERACTIONS),
    writes=(tables.RECOMMENDATIONS,),
    settings=("recommend",),
)
