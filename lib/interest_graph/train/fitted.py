"""The common form of fitted models, and the interface of models that can be fitted.

Scoring, blending and evaluation read FittedModel only, and so work for every model.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol, Self, runtime_checkable

from pyspark import StorageLevel
from pyspark.sql import DataFrame

from interest_graph.item_weights import as_blocks, is_blocks

VECTOR_COLUMNS = "key STRING NOT NULL, vector ARRAY<FLOAT> NOT NULL"


@dataclass(frozen=True)
class FittedModel:
    """A fitted model as vectors p, q and item-item weights W.

    score(u, i) = <p_u, q_i> + sum over the user's items j of r_uj * W_ji

    with r_uj the weight of the edge (u, j). Either term may be absent: LightGCN and ALS have no W,
    item-kNN and EASE no vectors, a blend has both.

    user_vectors, item_vectors: key (user_id or item_id), vector ARRAY<FLOAT>, all of one length.
    item_weights: W as rows of BLOCK_COLUMNS (weight_blocks.py), each a CSR matrix of some MiB with
    its item ids. A model may give rows of src (item_id j of the history), dst (item_id i, scored),
    weight instead, which are packed on entry; item_weights.rows_of gives such rows back. Other
    columns raise ValueError.
    log: rows of model.training_log without model_run.
    shards: user_id, shard_id, n_edges; partition: rows of model.partition without model_run. Both
    of models that train on shards, None for others.
    held: closed by `release`, and at the end of a `with` block: frames in Spark's cache.
    """

    name: str
    user_vectors: DataFrame | None = None
    item_vectors: DataFrame | None = None
    item_weights: DataFrame | None = None
    log: DataFrame | None = None
    shards: DataFrame | None = None
    partition: DataFrame | None = None
    held: ExitStack = field(default_factory=ExitStack, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.item_weights is None or is_blocks(self.item_weights):
            return
        # In memory, as the top-k and a blend each read them: rows are computed and packed once.
        packed = as_blocks(self.item_weights).persist(StorageLevel.MEMORY_AND_DISK)
        self.held.callback(packed.unpersist)
        object.__setattr__(self, "item_weights", packed)

    def release(self) -> None:
        """Let go of what fitting left in memory; the model is of no use afterwards."""
        self.held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Model(Protocol):
    """A model that can be fitted to weighted user-item edges."""

    name: str

    def fit(self, edges: DataFrame, validation: DataFrame | None = None) -> FittedModel:
        """Fit to `edges`: user_id, item_id, weight > 0, one row per pair.

        validation: user_id, item_id pairs held out of `edges`, for early stopping, the choice of
        settings and blend weights; the final model includes them.
        Raises TrainingError when there are no edges or the loss is not finite.
        """
        ...


# (round from 1, its loss, validation NDCG of the round before) -> None; called after each round.
Listener = Callable[[int, float, float | None], None]


@runtime_checkable
class TrainsInRounds(Protocol):
    """A model that trains in rounds and can call a function after each."""

    def with_listener(self, listener: Listener) -> Model:
        """The same model, calling `listener` after each round; its exceptions end the training."""
        ...
