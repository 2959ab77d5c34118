"""model.*, graph.* -> gold.recommendations: top items per user with reasons."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.builds import newest_build
from interest_graph.cache_scope import cache_scope
from interest_graph.errors import DataError
from interest_graph.ids import user_item_pairs
from interest_graph.job import Job, Run
from interest_graph.recommend.cold_start import gather_all_histories, rank_popular
from interest_graph.recommend.explain import POPULAR_REASON, explain
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


def run(run: Run) -> None:
    """Rank, explain, and bring changed rows of gold.recommendations up to date."""
    with cache_scope(run.spark) as keep:
        inputs = _read(run)
        histories = keep(inputs.histories)
        with run.phase("ranking and explaining items"):
            ranked = keep(_rank_by_model(run, inputs, histories))
            explained = explain(ranked, histories, edges=inputs.edges, vertices=inputs.vertices)
            unserved = histories.join(ranked.select("user_id"), "user_id", how="left_anti")
            popular = _rank_by_popularity(run, inputs, unserved)
            by_model = explained.withColumn("strategy", F.lit(inputs.model.model))
            rows = keep(_with_lineage(by_model.unionByName(popular), inputs.model))
            _count(run, rows)
        with run.phase("writing recommendations"):
            run.store.merge(tables.RECOMMENDATIONS, rows, delete_others=True)


def _read(run: Run) -> Inputs:
    model = _newest_model(run)
    of_graph = F.col("graph_version") == model.graph_version
    edges = run.read(tables.EDGES).where(of_graph)
    interactions = run.read_if_written(tables.INTERACTIONS)
    if interactions is not None:
        interactions = interactions.where(F.col("event_ts") <= F.lit(model.as_of))
    histories = gather_all_histories(
        user_item_pairs(edges), users=run.read_if_written(tables.USERS), interactions=interactions
    )
    return Inputs(model, edges, run.read(tables.VERTICES).where(of_graph), histories)


def _newest_model(run: Run) -> Row:
    """The row of model.runs to serve: the last built that saw nothing after the as-of time."""
    runs = run.read(tables.MODELS).where(F.col("as_of") <= F.lit(run.as_of))
    newest = newest_build(runs)
    if newest is None:
        raise DataError(f"{tables.MODELS.name}: no training run as of {run.as_of.isoformat()}")
    return newest


def _rank_by_model(run: Run, inputs: Inputs, histories: DataFrame) -> DataFrame:
    of_run = F.col("model_run") == inputs.model.model_run
    vectors = run.read(tables.EMBEDDINGS).where(of_run)
    return top_k(
        histories,
        k=run.settings.recommend.k,
        user_vectors=vectors.where(F.col("kind") == "user"),
        item_vectors=vectors.where(F.col("kind") == "item"),
        item_weights=run.read(tables.ITEM_WEIGHTS).where(of_run),
    )


def _rank_by_popularity(run: Run, inputs: Inputs, histories: DataFrame) -> DataFrame:
    edges = user_item_pairs(inputs.edges)
    ranked = rank_popular(histories, edges, k=run.settings.recommend.k)
    return ranked.withColumns({"strategy": F.lit(POPULARITY), "reason": F.lit(POPULAR_REASON)})


def _with_lineage(recommendations: DataFrame, model: Row) -> DataFrame:
    lineage = {name: F.lit(model[name]) for name in ("model_run", "graph_version", "as_of")}
    return recommendations.withColumns(lineage).select(*tables.RECOMMENDATIONS.column_names)


def _count(run: Run, recommendations: DataFrame) -> None:
    users = F.sum((F.col("rank") == 1).cast("bigint")).alias("users")
    counts = recommendations.groupBy("strategy").agg(users, F.count("*").alias("listed"))
    found = {row["strategy"]: row for row in counts.collect()}  # two rows at most
    run.count("recommendations", sum(row["listed"] for row in found.values()))
    for strategy, row in sorted(found.items()):
        run.count(f"users by {strategy}", row["users"])


JOB = Job(
    name="recommend",
    help="ranks exact top items per user, with a reason each",
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
    after=("train",),
    is_stage=True,
)
