"""What every model comes down to, so that one scorer, one blend and one evaluation serve all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol, Self, runtime_checkable

from pyspark.sql import DataFrame

VECTOR_COLUMNS = "key STRING NOT NULL, vector ARRAY<FLOAT> NOT NULL"
ITEM_WEIGHT_COLUMNS = "src STRING NOT NULL, dst STRING NOT NULL, weight FLOAT NOT NULL"


@dataclass(frozen=True)
class FittedModel:
    """A model as vectors and item-item weights.

    score(u, i) = <p_u, q_i> + sum over the user's items j of r_uj * W_ji

    with r_uj the weight of the edge (u, j). Either half may be absent: LightGCN and ALS have no W,
    item-kNN and EASE no vectors, a blend has both.

    user_vectors, item_vectors: key (user_id or item_id), vector ARRAY<FLOAT> of one length.
    item_weights: src (item j of the history), dst (scored item i), weight; item ids.
    log: rows of model.training_log without model_run.
    shards: user_id, shard_id, n_edges, of models that train on shards; partition: how even the
    shards are and what they share, rows of model.partition without model_run.
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

    def release(self) -> None:
        """Let go of what fitting left in memory; the model is of no use afterwards."""
        self.held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Model(Protocol):
    """Something that can be fitted to weighted user-item edges."""

    name: str

    def fit(self, edges: DataFrame, validation: DataFrame | None = None) -> FittedModel:
        """Fit to `edges`: user_id, item_id, weight > 0, one row per pair.

        validation: user_id, item_id pairs held out of `edges` for early stopping and blend weights.
        Raises TrainingError when there are no edges or the loss is not finite.
        """
        ...


# Told each finished round: its number from 1, its loss, the validation NDCG of the round before.
Listener = Callable[[int, float, float | None], None]


@runtime_checkable
class Reporting(Protocol):
    """A model that trains in rounds and can tell of them."""

    def reporting(self, listener: Listener) -> Model:
        """The same model, telling `listener`; what that raises ends the training."""
        ...
