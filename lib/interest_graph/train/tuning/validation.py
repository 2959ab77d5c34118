"""NDCG of fitted models on held-out pairs, and the weights of their best sum, in one worker.

A Spark task has one input, so the pairs, vectors and blocks of item-item weights reach the worker
as rows of one frame, told apart by `kind`.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from interest_graph.config.models import ValidationConfig
from interest_graph.errors import TrainingError
from interest_graph.session import temporarily
from interest_graph.train.edges import with_validation
from interest_graph.train.fitted import FittedModel
from interest_graph.train.kernels.matrix import Interactions, codes_of, interactions_of, sorted_ids
from interest_graph.train.kernels.ranking import Codes, Floats
from interest_graph.train.tuning.ensemble_weights import Score, learn_weights, pool_of
from interest_graph.weight_blocks import BLOCK_BYTES, matrix_of, read_blocks

# Values of `kind`. The other columns: source (number of the model), a and b (ids), weight, vector,
# data (of a block of weights).
_ITEM, _PAIR, _HELD_OUT, _USER_VECTOR, _ITEM_VECTOR, _ITEM_WEIGHT = range(6)
_RESULT_COLUMNS = "source INT, weight DOUBLE, metric DOUBLE, seconds DOUBLE, peak_memory_mb DOUBLE"
_RESULT_SCHEMA = pa.schema(
    [("source", pa.int32())]
    + [(name, pa.float64()) for name in ("weight", "metric", "seconds", "peak_memory_mb")]
)
_BLEND = -1
# So that no Arrow batch nears 2 GiB, which cannot be sent.
_FEW_BLOCKS_A_BATCH = {"spark.sql.execution.arrow.maxRecordsPerBatch": str(2**30 // BLOCK_BYTES)}


@dataclass(frozen=True)
class Ranking:
    """Result of ranking held-out pairs with several models (sources).

    weights: of each source in the weighted sum with the best NDCG; trials: NDCG of each source in
    order, and last that of the weighted sum.
    """

    weights: tuple[float, ...]
    trials: tuple[Trial, ...]


def rank_held_out(
    sources: Sequence[FittedModel],
    edges: DataFrame,
    held_out: DataFrame,
    validation: ValidationConfig,
    seed: int,
) -> Ranking:
    """NDCG of each source on the held-out pairs of a sample of users, and weights of their sum.

    edges, held_out: user_id, item_id, weight. The sources must be fitted to `edges` alone.
    validation: k, and the number of users to sample. Raises TrainingError when no user with
    held-out pairs has edges.
    """
    sample = _sample_users(held_out, validation.users, seed)
    frames = _pair_rows(edges, held_out, sample)
    for number, source in enumerate(sources):
        frames += _source_rows(number, source, sample)
    rows = reduce(DataFrame.union, frames).repartition(1)
    compute = partial(_rank, n_sources=len(sources), k=validation.k)
    ranked = rows.mapInArrow(compute, _RESULT_COLUMNS)
    with temporarily(edges.sparkSession, _FEW_BLOCKS_A_BATCH):
        found = {row.source: row for row in ranked.collect()}
    if not found:
        raise TrainingError("no validation pairs of known users: nothing to choose settings by")
    numbers = [*range(len(sources)), _BLEND]
    return Ranking(
        weights=tuple(found[number].weight for number in numbers[:-1]),
        trials=tuple(
            Trial(index, found[n].metric, found[n].seconds, found[n].peak_memory_mb)
            for index, n in enumerate(numbers)
        ),
    )


def _sample_users(held_out: DataFrame, at_most: int, seed: int) -> DataFrame:
    """user_id of at most `at_most` users with held-out pairs; the seed decides which."""
    users = held_out.select("user_id").distinct()
    return users.orderBy(F.xxhash64("user_id", F.lit(seed)), "user_id").limit(at_most)


def _pair_rows(edges: DataFrame, held_out: DataFrame, sample: DataFrame) -> list[DataFrame]:
    pairs = with_validation(edges, held_out).join(F.broadcast(sample), "user_id")
    kind = F.when(F.col("is_held_out"), _HELD_OUT).otherwise(_PAIR)
    user, item, weight = F.col("user_id"), F.col("item_id"), F.col("weight")
    return [
        _rows(edges.select("item_id").distinct(), F.lit(_ITEM), a=item),
        _rows(pairs, kind, a=user, b=item, weight=weight),
    ]


def _source_rows(number: int, source: FittedModel, sample: DataFrame) -> list[DataFrame]:
    frames = []
    key, vector = F.col("key"), F.col("vector")
    if source.user_vectors is not None and source.item_vectors is not None:
        known = sample.withColumnRenamed("user_id", "key")
        users = source.user_vectors.join(F.broadcast(known), "key")
        frames.append(_rows(users, F.lit(_USER_VECTOR), number, a=key, vector=vector))
        items = source.item_vectors
        frames.append(_rows(items, F.lit(_ITEM_VECTOR), number, a=key, vector=vector))
    if source.item_weights is not None:
        blocks = {"a": F.lit(None), "data": F.col("data")}
        frames.append(_rows(source.item_weights, F.lit(_ITEM_WEIGHT), number, **blocks))
    return frames


def _rows(frame: DataFrame, kind: Column, source: int = _BLEND, **given: Column) -> DataFrame:
    nothing = F.lit(None)
    return frame.select(
        kind.cast("int").alias("kind"),
        F.lit(source).alias("source"),
        given["a"].cast("string").alias("a"),
        given.get("b", nothing).cast("string").alias("b"),
        given.get("weight", nothing).cast("float").alias("weight"),
        given.get("vector", nothing).cast("array<float>").alias("vector"),
        given.get("data", nothing).cast("binary").alias("data"),
    )


def _rank(batches: Iterator[pa.RecordBatch], *, n_sources: int, k: int) -> Iterator[pa.RecordBatch]:
    started = time.monotonic()
    table = pa.Table.from_batches(list(batches))
    interactions = _interactions(table)
    scores = [_score_of(table, number, interactions) for number in range(n_sources)]
    users = np.flatnonzero(interactions.n_held_out)
    if not len(users):
        return
    seen, held_out = interactions.matrix, interactions.held_out
    pool = pool_of(scores, seen, held_out, interactions.n_held_out, users, k)
    weights = learn_weights(pool, k)
    rankings = {number: np.eye(n_sources)[number] for number in range(n_sources)}
    for number, of_sources in {**rankings, _BLEND: weights}.items():
        row = {
            "source": number,
            "weight": None if number == _BLEND else float(weights[number]),
            "metric": pool.ndcg(of_sources, k),
            "seconds": time.monotonic() - started,
            "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        yield pa.RecordBatch.from_pylist([row], schema=_RESULT_SCHEMA)


def _interactions(table: pa.Table) -> Interactions:
    items = sorted_ids(_of_kind(table, _ITEM)["a"])
    names = ["user_id", "item_id", "weight"]
    trained, held_out = (
        _of_kind(table, kind).select(["a", "b", "weight"]).rename_columns(names)
        for kind in (_PAIR, _HELD_OUT)
    )
    return interactions_of(trained, held_out, items)


def _score_of(table: pa.Table, number: int, interactions: Interactions) -> Score:
    """The score function of source `number`: rows of users -> float32 [n_users, n_items]."""
    own = table.filter(pc.equal(table["source"], number))
    users = _vectors(_of_kind(own, _USER_VECTOR), interactions.users)
    items = _vectors(_of_kind(own, _ITEM_VECTOR), interactions.items)
    blocks = read_blocks(_of_kind(own, _ITEM_WEIGHT).to_batches())
    weights = matrix_of(blocks, interactions.items, interactions.items)

    def score(block: Codes) -> Floats:
        history = (interactions.matrix[block] @ weights).toarray()
        scores: Floats = users[block] @ items.T + history
        return scores

    return score


def _vectors(rows: pa.Table, ids: pa.Array) -> Floats:
    """Vectors in the order of `ids`, zeros if missing: float32 [len(ids), d], d = 0 if empty."""
    if not rows.num_rows:
        return np.zeros((len(ids), 0), dtype=np.float32)
    flat = pc.list_flatten(rows["vector"]).to_numpy().astype(np.float32)
    vectors = np.zeros((len(ids), len(flat) // rows.num_rows), dtype=np.float32)
    codes = codes_of(rows["a"], ids)
    vectors[codes[codes >= 0]] = flat.reshape(rows.num_rows, -1)[codes >= 0]
    return vectors


def _of_kind(table: pa.Table, kind: int) -> pa.Table:
    return table.filter(pc.equal(table["kind"], kind))


TRIAL_COLUMNS = "trial BIGINT, metric DOUBLE, seconds DOUBLE, peak_memory_mb DOUBLE"
LOG_COLUMNS = """
    model STRING NOT NULL, round INT NOT NULL, shard_id INT NOT NULL, loss DOUBLE, metric DOUBLE,
    seconds DOUBLE NOT NULL, peak_memory_mb DOUBLE NOT NULL"""


@dataclass(frozen=True)
class Trial:
    """Metrics of one candidate: number from 0, NDCG, wall time, the worker's peak memory (RSS)."""

    trial: int
    metric: float
    seconds: float
    peak_memory_mb: float


def log_of(spark: SparkSession, model: str, trials: Sequence[Trial]) -> DataFrame | None:
    """Rows of model.training_log without model_run, numbered by trial; None without trials."""
    if not trials:
        return None
    rows = [(model, t.trial + 1, -1, None, t.metric, t.seconds, t.peak_memory_mb) for t in trials]
    return spark.createDataFrame(rows, LOG_COLUMNS)
