"""NDCG of fitted models on held-out pairs, and the weights of their best sum, in one worker.

A Spark task has one input, so the pairs, vectors and blocks of item-item weights reach the worker
as rows of one frame, told apart by `kind`.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial, reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from scipy import sparse

from interest_graph.config.models import ValidationConfig
from interest_graph.device import several_threads
from interest_graph.errors import TrainingError
from interest_graph.session import temporarily
from interest_graph.train.distributed.errors import worker_errors
from interest_graph.train.distributed.slots import cores_of_lone_task
from interest_graph.train.edges import sample_users, with_validation
from interest_graph.train.fitted import FittedModel
from interest_graph.train.kernels.chebyshev import item_graph
from interest_graph.train.kernels.matrix import Interactions, interactions_of, sorted_ids
from interest_graph.train.kernels.ranking import Codes, Floats
from interest_graph.train.tuning.ensemble_weights import (
    Score,
    best_filters,
    learn_weights,
    pool_of,
    with_filters,
)
from interest_graph.train.tuning.filter_bank import (
    FilterBank,
    FilterGrid,
    FilterSettings,
    FilterSum,
)
from interest_graph.weight_blocks import BLOCK_BYTES, matrix_of, positions_in, read_blocks

# Values of `kind`. The other columns: source (number of the model), a and b (ids), weight, vector,
# data (of a block of weights).
_ITEM, _PAIR, _HELD_OUT, _USER_VECTOR, _ITEM_VECTOR, _ITEM_WEIGHT = range(6)
_NUMBERS = ("weight", "metric", "seconds", "peak_memory_mb")
_RESULT_COLUMNS = ", ".join(
    ["source INT, settings STRING", *(f"{name} DOUBLE" for name in _NUMBERS)]
)
_RESULT_SCHEMA = pa.schema(
    [("source", pa.int32()), ("settings", pa.string())]
    + [(name, pa.float64()) for name in _NUMBERS]
)
_BLEND = -1
# So that no Arrow batch nears 2 GiB, which cannot be sent.
_FEW_BLOCKS_A_BATCH = {"spark.sql.execution.arrow.maxRecordsPerBatch": str(2**30 // BLOCK_BYTES)}


@dataclass(frozen=True)
class Ranking:
    """Result of ranking held-out pairs with several models (sources) and a grid of filters.

    weights: of each source in the weighted sum with the best NDCG; filters: the good filters of
    each degree exponent of the grid as their sum, with its weight in that sum of all; trials: NDCG
    of each source in order, then of the sums of filters, and last that of the sum of all.
    """

    weights: tuple[float, ...]
    trials: tuple[Trial, ...]
    filters: tuple[tuple[FilterSum, float], ...] = ()

    @property
    def best_filters(self) -> FilterSum:
        """The sum of filters with the highest NDCG by itself."""
        of_filters = self.trials[len(self.weights) : -1]
        best = max(range(len(of_filters)), key=lambda place: of_filters[place].metric)
        return self.filters[best][0]


def rank_held_out(
    sources: Sequence[FittedModel],
    edges: DataFrame,
    held_out: DataFrame,
    validation: ValidationConfig,
    seed: int,
    grid: FilterGrid | None = None,
) -> Ranking:
    """NDCG of each source on the held-out pairs of a sample of users, and weights of their sum.

    edges, held_out: user_id, item_id, weight. The sources must be fitted to `edges` alone.
    validation: k, and the number of users to sample. grid: Chebyshev filters of `edges` to choose
    from, computed for the sample alone; the worker then holds all edges, and not only those of the
    sample. Raises TrainingError when no user with held-out pairs has edges.
    """
    sample = sample_users(held_out, validation.users, seed)
    frames = _pair_rows(edges, held_out, sample, is_whole=grid is not None)
    for number, source in enumerate(sources):
        frames += _source_rows(number, source, sample)
    rows = reduce(DataFrame.union, frames).repartition(1)
    compute = partial(
        _rank,
        n_threads=cores_of_lone_task(edges.sparkSession),
        n_sources=len(sources),
        k=validation.k,
        grid=grid,
        seed=seed,
    )
    ranked = rows.mapInArrow(compute, _RESULT_COLUMNS)
    with temporarily(edges.sparkSession, _FEW_BLOCKS_A_BATCH), worker_errors():
        found = {row.source: row for row in ranked.collect()}
    if not found:
        raise TrainingError("no validation pairs of known users: nothing to choose settings by")
    numbers = [*sorted(found.keys() - {_BLEND}), _BLEND]
    return Ranking(
        weights=tuple(found[number].weight for number in range(len(sources))),
        trials=tuple(
            Trial(index, found[n].metric, found[n].seconds, found[n].peak_memory_mb)
            for index, n in enumerate(numbers)
        ),
        filters=tuple(
            (_sum_of(found[n].settings), found[n].weight) for n in numbers[len(sources) : -1]
        ),
    )


def _sum_of(text: str) -> FilterSum:
    """What `_rank_all` writes of a sum of filters."""
    return [(FilterSettings(**settings), weight) for settings, weight in json.loads(text)]


def _pair_rows(
    edges: DataFrame, held_out: DataFrame, sample: DataFrame, *, is_whole: bool
) -> list[DataFrame]:
    """Rows of the items and of the sample's pairs; is_whole: of the edges of all users."""
    of_sample = F.broadcast(sample)
    known = edges if is_whole else edges.join(of_sample, "user_id")
    pairs = with_validation(known, held_out.join(of_sample, "user_id"))
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


def _rank(
    batches: Iterator[pa.RecordBatch], *, n_threads: int, **settings: Any
) -> Iterator[pa.RecordBatch]:
    table = pa.Table.from_batches(list(batches))
    with several_threads(n_threads):
        rows = list(_rank_all(table, **settings))
    if rows:
        yield pa.RecordBatch.from_pylist(rows, schema=_RESULT_SCHEMA)


def _rank_all(
    table: pa.Table, *, n_sources: int, k: int, grid: FilterGrid | None, seed: int
) -> Iterator[dict[str, Any]]:
    """Rows of _RESULT_SCHEMA: each source, each filter, and the best sum of all."""
    started = time.monotonic()
    interactions = _interactions(table)
    scores = [_score_of(table, number, interactions) for number in range(n_sources)]
    users = np.flatnonzero(interactions.n_held_out)
    if not len(users):
        return
    seen, held_out = interactions.matrix, interactions.held_out
    bank = _bank(seen, grid, seed) if grid is not None else None
    pool = pool_of(scores, seen, held_out, interactions.n_held_out, users, k, bank)
    filters: list[FilterSum] = []
    if bank is not None:
        filters = best_filters(pool, bank, k)
        pool = with_filters(pool, bank, filters)
    weights = learn_weights(pool, k)
    rankings = dict(enumerate(np.eye(len(weights))))
    for number, of_sources in {**rankings, _BLEND: weights}.items():
        of_filters = filters[number - n_sources] if number >= n_sources else None
        yield {
            "source": number,
            "settings": of_filters
            and json.dumps([(asdict(s), weight) for s, weight in of_filters]),
            "weight": None if number == _BLEND else float(weights[number]),
            "metric": pool.ndcg(of_sources, k),
            "seconds": time.monotonic() - started,
            "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }


def _bank(matrix: sparse.csr_matrix, grid: FilterGrid, seed: int) -> FilterBank:
    """The grid's filters of the matrix."""
    n_vectors = min(max(grid.n_vectors), max(1, min(matrix.shape) // 2))
    graph = item_graph(matrix, n_vectors, seed=seed)
    widths = sorted({min(width, graph.vectors.shape[1]) for width in grid.n_vectors})
    return FilterBank(graph, matrix, replace(grid, n_vectors=tuple(widths)))


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
    codes = positions_in(ids, rows["a"])
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
