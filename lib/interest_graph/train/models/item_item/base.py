"""Models whose item-item weights are computed from the whole user-item matrix in one worker.

Where the kernel allows, several workers compute the weights of a part of the items each; every one
of them still holds the whole matrix, so train.worker_mb limits the size of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from scipy import sparse

from interest_graph.config.train import TrainConfig
from interest_graph.device import several_threads
from interest_graph.errors import TrainingError
from interest_graph.item_weights import kept_in_memory
from interest_graph.partition_keys import keys_of_partitions
from interest_graph.train.distributed.errors import worker_errors
from interest_graph.train.distributed.slots import cores_of_lone_task
from interest_graph.train.edges import EdgeCounts, all_pairs, count_edges
from interest_graph.train.fitted import FittedModel
from interest_graph.train.kernels.item_item import ITEMS_PER_BLOCK
from interest_graph.train.kernels.matrix import read_interactions
from interest_graph.train.kernels.ranking import Codes, Floats
from interest_graph.train.tuning.candidates import best_of, try_candidates
from interest_graph.train.tuning.ensemble_weights import Score
from interest_graph.train.tuning.validation import Trial, log_of
from interest_graph.weight_blocks import BLOCK_COLUMNS, WeightBlock, write_blocks

# (R, items, **settings) -> weights [len(items), n_items]; see kernels/item_item.py.
Kernel = Callable[..., sparse.csr_matrix]
KernelSettings = Mapping[str, Any]


@dataclass(frozen=True)
class Recipe:
    """How a worker computes item-item weights from the whole matrix R.

    kernel: a function of kernels/item_item.py; rows: whether a row of its result belongs to a src
    item (of the history) or a dst item (scored); bytes_needed: peak memory of one worker for a
    graph of a given size; is_divisible: whether a call can be limited to some items, so that
    several workers share the work.
    """

    kernel: Kernel
    rows: Literal["src", "dst"]
    bytes_needed: Callable[[EdgeCounts], float]
    is_divisible: bool = True

    def weights(
        self, matrix: sparse.csr_matrix, part: int, n_parts: int, settings: KernelSettings
    ) -> sparse.csr_matrix:
        """Compute the weights of the items part, part + n_parts, part + 2 n_parts ...

        matrix: float32 [n_users, n_items]. Returns W float32 [n_items src, n_items dst], empty for
        the other items.
        """
        n_items = matrix.shape[1]
        items = np.arange(part, n_items, n_parts)
        if not len(items):
            return sparse.csr_matrix((n_items, n_items), dtype=np.float32)
        cells = self.kernel(matrix, items, **settings).tocoo()
        own, other = items[cells.row], cells.col
        places = (own, other) if self.rows == "src" else (other, own)
        return sparse.csr_matrix((cells.data, places), shape=(n_items, n_items), dtype=np.float32)


def blockwise_bytes(counts: EdgeCounts, *, kept: int, bytes_per_edge: int = 150) -> float:
    """Peak bytes of a worker that computes the weights block by block.

    bytes_per_edge: an edge as ids and in matrices. For each item 24 bytes a weight: of a block of
    products, and of the `kept` weights.
    """
    per_item = 24 * (ITEMS_PER_BLOCK + kept)
    return bytes_per_edge * counts.n_edges + per_item * counts.n_items


@dataclass(frozen=True)
class WholeMatrixModel:
    """A model of item-item weights that are computed by `recipe`.

    candidates: settings of the kernel to compare on the validation pairs; without such pairs the
    first is used. trials: metrics of the candidates, once they have been compared.
    """

    spark: SparkSession
    config: TrainConfig
    name: str
    recipe: Recipe
    candidates: tuple[KernelSettings, ...]
    trials: tuple[Trial, ...] = ()

    def fit(self, edges: DataFrame, validation: DataFrame | None = None) -> FittedModel:
        """Choose settings on the validation pairs, if any, then fit to edges and validation pairs.

        Raises TrainingError without edges or when a worker would need more than train.worker_mb.
        """
        self.require_memory(edges)
        tuned = self._choose(edges, validation) if validation is not None else self
        blocks = tuned._weights(all_pairs(edges, validation))
        # In memory, as the table writer, the top-k and a blend each read it; and computed at once,
        # so that an error in a worker is reported as this model's and not as its first reader's.
        with worker_errors():
            weights = kept_in_memory(blocks)
        log = log_of(self.spark, self.name, tuned.trials)
        fitted = FittedModel(self.name, item_weights=weights, log=log)
        fitted.held.callback(blocks.unpersist)
        return fitted

    def tuned(self, edges: DataFrame, validation: DataFrame) -> WholeMatrixModel:
        """This model with only the candidate whose NDCG on the validation pairs is highest."""
        if len(self.candidates) > 1:
            self.require_memory(edges)
        return self._choose(edges, validation)

    def _choose(self, edges: DataFrame, validation: DataFrame) -> WholeMatrixModel:
        if len(self.candidates) == 1:
            return self
        score_of = partial(_score_of, recipe=self.recipe)
        trials = try_candidates(self.candidates, score_of, edges, validation, self.config)
        return replace(self, candidates=(self.candidates[best_of(trials)],), trials=trials)

    def _weights(self, pairs: DataFrame) -> DataFrame:
        """Compute BLOCK_COLUMNS, by one task a slot if divisible: each gets all pairs."""
        is_divisible = self.recipe.is_divisible
        n_parts = self.spark.sparkContext.defaultParallelism if is_divisible else 1
        n_threads = 1 if is_divisible else cores_of_lone_task(self.spark)
        keys = keys_of_partitions(n_parts)
        parts = F.explode(F.array([F.lit(key) for key in keys])).alias("part")
        copies = pairs.select("*", F.lit(False).alias("is_held_out"), parts).repartition(
            n_parts, "part"
        )
        compute = partial(
            _weight_batches,
            recipe=self.recipe,
            settings=self.candidates[0],
            keys=keys,
            n_threads=n_threads,
        )
        return copies.mapInArrow(compute, BLOCK_COLUMNS)

    def fits(self, counts: EdgeCounts) -> bool:
        """Whether a graph of this size can be fitted within train.worker_mb."""
        return self.recipe.bytes_needed(counts) <= self.config.worker_mb * 2**20

    def require_memory(self, edges: DataFrame) -> None:
        """Raise TrainingError without edges or when a worker needs more than train.worker_mb."""
        counts = count_edges(edges)
        if not self.fits(counts):
            needed, allowed = self.recipe.bytes_needed(counts) / 2**20, self.config.worker_mb
            raise TrainingError(
                f"{self.name} needs about {needed:,.0f} MB in one worker for {counts.n_items:,} "
                f"items; train.worker_mb is {allowed:,}: raise it or choose another model"
            )


def _weight_batches(
    batches: Iterator[pa.RecordBatch],
    *,
    recipe: Recipe,
    settings: KernelSettings,
    keys: list[int],
    n_threads: int,
) -> Iterator[pa.RecordBatch]:
    received = [batch for batch in batches if batch.num_rows]
    if not received:
        return
    part = keys.index(received[0]["part"][0].as_py())
    interactions = read_interactions(received)
    with several_threads(n_threads):
        weights = recipe.weights(interactions.matrix, part, len(keys), settings)
    yield from write_blocks(WeightBlock(interactions.items, interactions.items, weights))


def _score_of(matrix: sparse.csr_matrix, settings: KernelSettings, *, recipe: Recipe) -> Score:
    """Scores R @ W of rows of users, by weights of all items."""
    weights = recipe.weights(matrix, 0, 1, settings)

    def score(block: Codes) -> Floats:
        scores: Floats = (matrix[block] @ weights).toarray()
        return scores

    return score
