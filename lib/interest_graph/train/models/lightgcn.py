"""LightGCN, trained on shards in rounds."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import structlog
from pyspark.sql import DataFrame, SparkSession

from interest_graph.arrays import Arrays, shipping
from interest_graph.config import TrainConfig
from interest_graph.folders import open_folder
from interest_graph.identity import digest
from interest_graph.train.distributed.all_reduce import gram, item_sums, run_on_shards, user_rows
from interest_graph.train.distributed.checkpoint import Checkpoints
from interest_graph.train.distributed.progress import Progress, Schedule
from interest_graph.train.distributed.sharded_graph import ShardedGraph
from interest_graph.train.distributed.slots import resident_tasks
from interest_graph.train.distributed.trainer import Trainer, log_rows
from interest_graph.train.distributed.vectors import fitted_vectors, spectrum_of
from interest_graph.train.fitted import FittedModel, Listener
from interest_graph.train.kernels.krylov import Spectrum
from interest_graph.train.kernels.losses import Objective
from interest_graph.train.kernels.ranking import of_unit_length
from interest_graph.train.kernels.sparse import SYMMETRIC, Scaling, normalised
from interest_graph.train.kernels.worker_epoch import EpochPlan
from interest_graph.train.sharding.memory_model import Costs, training_costs
from interest_graph.train.sharding.partition import partition
from interest_graph.train.sharding.report import partition_frame, report_partition
from interest_graph.train.tuning.validation import LOG_COLUMNS


@dataclass(frozen=True)
class LightGCN:
    """He et al., "LightGCN: Simplifying and Powering Graph Convolution Network", SIGIR 2020.

    score(u, i) = <mean of u's layers, mean of i's layers>. Layer k+1 of the users is R^ times layer
    k of the items, that of the items R^' times layer k of the users; layer 0 is trained, by BPR or
    sampled softmax. Shards train in parallel and exchange item state after each round.

    Training stops when validation NDCG has not risen for train.patience rounds. The final vectors
    come from the best round by one exact propagation over all shards, whose edges include the
    validation pairs if includes_validation. listener: called after each round.
    """

    spark: SparkSession
    config: TrainConfig
    work_dir: str
    name: str = "lightgcn"
    listener: Listener = lambda *_: None
    includes_validation: bool = True

    def with_listener(self, listener: Listener) -> LightGCN:
        """The same model, which calls `listener` after each round."""
        return replace(self, listener=listener)

    def without_validation(self) -> LightGCN:
        """The same model, but with final vectors that do not include the validation pairs."""
        return replace(self, includes_validation=False)

    def fit(self, edges: DataFrame, validation: DataFrame | None = None) -> FittedModel:
        """Train until validation NDCG stops rising; resume rounds of the same inputs in work_dir.

        Raises ConfigError when a shard needs more than train.worker_mb, TrainingError without edges
        or for a loss that is not finite.
        """
        config = self.config
        costs = costs_of(config)
        graph = partition(edges, validation, config, costs)
        try:
            report = report_partition(graph, costs)
            report.require_memory(config.worker_mb)
            n_tasks = resident_tasks(self.spark, graph.n_shards, config.exchange)
            rounds = self._rounds(graph, report.within_memory(n_tasks, config))
            progress = rounds.run(lambda: self._start(graph))
            shards = partition_frame(graph, report)
            fitted = self._propagate(graph, rounds, progress, shards)
            return replace(fitted, log=self._log(progress))
        finally:
            graph.release()

    def _rounds(self, graph: ShardedGraph, n_tasks: int | None) -> Trainer:
        config = self.config
        size = [graph.n_users, graph.n_edges, graph.n_shards]
        fingerprint = digest([config.decisive(), size, graph.degrees.digest])
        numbers = range(1, config.max_rounds + 1)
        return Trainer(
            graph=graph,
            schedule=Schedule(
                plan=plan_of(config, graph.n_shards),
                learning_rates=tuple(
                    config.learning_rate * learning_rate_share(number, config) for number in numbers
                ),
                patience=config.patience,
                is_validated=graph.has_held_out,
            ),
            checkpoints=Checkpoints(open_folder(self.spark, self.work_dir), fingerprint),
            on_round=partial(_log_round, listener=self.listener),
            n_tasks=n_tasks,
            checkpoint_seconds=config.checkpoint_seconds,
        )

    def _start(self, graph: ShardedGraph) -> Arrays:
        """Arrays before the first round: items, and with start "spectral" users_from.

        Both float32[items, d]; users start at R^ @ users_from, or at random where it is absent.
        """
        config = self.config
        shape = (len(graph.items), config.dimension)
        if config.start == "random":
            rng = np.random.default_rng(config.seed)
            return {"items": config.start_scale * rng.standard_normal(shape, dtype=np.float32)}
        spectrum = spectrum_of(graph, config, SYMMETRIC)
        return spectral_start(spectrum, graph, config)

    def _propagate(
        self, graph: ShardedGraph, rounds: Trainer, progress: Progress, partition: DataFrame
    ) -> FittedModel:
        """The model of the best round, its parameters propagated exactly over all shards.

        In training the terms of other shards are those of the last exchange; here each layer is a
        sum over all shards.
        """
        number = progress.best
        first_users = rounds.shards(number, progress).where("name = 'users'")
        n_layers = self.config.n_layers
        scaling = Scaling(with_held_out=self.includes_validation)
        layers = [rounds.checkpoints.items(number)["items"]]
        if n_layers:
            kernel = partial(first_layers, scaling=scaling)
            with shipping(self.spark, {"V": layers[0]}) as shared:
                sums = item_sums(run_on_shards(graph, kernel, shared, scaling.names, first_users))
            layers += [sums["layer_1"], sums["layer_2"]][:n_layers]
        while len(layers) <= n_layers:
            layers.append(gram(graph, layers[-2], scaling))
        below = sum(layers[:-1], start=np.zeros_like(layers[0]))
        is_cosine = (self.config.score or self.config.similarity) == "cosine"
        of_users = partial(final_users, scaling=scaling, n_layers=n_layers, is_cosine=is_cosine)
        items = (below + layers[-1]) / (n_layers + 1)
        items = of_unit_length(items) if is_cosine else items
        with shipping(self.spark, {"V": below}) as shared:
            users = user_rows(graph, of_users, shared, scaling.names, first_users)
            return fitted_vectors(
                self.name, graph, users, items, work_dir=self.work_dir, partition=partition
            )

    def _log(self, progress: Progress) -> DataFrame:
        return self.spark.createDataFrame(log_rows(self.name, progress), LOG_COLUMNS)


def _log_round(number: int, progress: Progress, *, listener: Listener) -> None:
    """Log a finished round and call the listener.

    The metric is that of the round before: a round's parameters are measured in the next round.
    """
    loss = float(np.mean([report["loss"] for report in progress.reports[number]]))
    metric_before = progress.metrics.get(number - 1)
    structlog.get_logger().info(
        "round",
        number=number,
        loss=round(loss, 5),
        seconds=round(progress.seconds[number], 2),
        metric_before=metric_before,
    )
    listener(number, loss, metric_before)


def costs_of(config: TrainConfig) -> Costs:
    """What a worker needs in memory to train a shard with these settings."""
    has_pool = config.loss != "bpr"
    pool_size = config.batch_size if config.negatives == "in_batch" else config.n_negatives
    return training_costs(
        config.dimension,
        config.n_layers,
        n_candidates=1 if has_pool else config.n_candidates,
        batch_size=config.batch_size,
        pool_size=pool_size if has_pool else 0,
    )


def plan_of(config: TrainConfig, n_shards: int) -> EpochPlan:
    """The settings of a round; each of the n_shards measures its part of validation.users."""
    return EpochPlan(
        n_layers=config.n_layers,
        n_passes=config.passes_per_round,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        seed=config.seed,
        start_scale=config.start_scale,
        validation_k=config.validation.k,
        validation_users=-(-config.validation.users // n_shards),
        objective=Objective(
            loss=config.loss,
            similarity=config.similarity,
            temperature=config.temperature,
            power=config.negative_power,
            weight_decay=config.weight_decay,
            clip_norm=config.clip_norm,
        ),
        score=config.score or config.similarity,
        negatives=config.negatives,
        n_negatives=config.n_negatives,
        corrects_draws=config.corrects_draws,
        n_candidates=config.n_candidates,
        dropout=config.dropout,
        precision=config.precision,
        deterministic=config.deterministic,
    )


def learning_rate_share(number: int, config: TrainConfig) -> float:
    """Factor of the learning rate in round `number` (from 1).

    1 with schedule "constant"; with "cosine" half a cosine from 1 in the first round towards 0.
    """
    if config.schedule == "constant":
        return 1.0
    return (1 + math.cos(math.pi * (number - 1) / config.max_rounds)) / 2


def spectral_start(spectrum: Spectrum, graph: ShardedGraph, config: TrainConfig) -> Arrays:
    """First vectors whose dot products are the scores of the spectral model, up to their scale.

    With R^ = U s V' (s: singular values) items start at V s^1/2 d_i^1/2 and users at U s^1/2, which
    is R^ @ users_from for users_from = V s^-1/2. Both are scaled to root mean square start_scale.
    Returns items and users_from, float32[items, d].
    """
    roots = np.maximum(spectrum.values, 1e-12) ** 0.25  # s^1/2, values being s^2
    items = spectrum.vectors * roots * np.sqrt(graph.items.degrees)[:, None]
    users_from = spectrum.vectors / roots
    # U has orthonormal columns, so the sum of squares of U s^1/2 is the sum of s.
    users_rms = np.sqrt((roots**2).sum() / (graph.n_users * len(roots)))
    items_rms = np.sqrt(np.mean(items**2))
    return {
        "items": (items * (config.start_scale / items_rms)).astype(np.float32),
        "users_from": (users_from * (config.start_scale / users_rms)).astype(np.float32),
    }


def first_layers(_: int, shard: Arrays, shared: Arrays, *, scaling: Scaling) -> Arrays:
    """The shard's terms of the items' layers 1 and 2: layer_1, layer_2 float32[items, d].

    shard: its matrix and users float32[users, d]; shared: V float32[items, d]; both layer 0.
    """
    R = normalised(shard, shared, scaling)
    return {"layer_1": R.T @ shard["users"], "layer_2": R.T @ (R @ shared["V"])}


def final_users(
    shard: Arrays, shared: Arrays, *, scaling: Scaling, n_layers: int, is_cosine: bool = False
) -> np.ndarray:
    """Mean of the users' layers, float32[users, d]; of unit length if is_cosine.

    shard: its matrix and users, layer 0; shared: V float32[items, d], the sum of all layers of the
    items but the last: the users' layers 1 ... n add up to R^ times it.
    """
    R = normalised(shard, shared, scaling)
    mean: np.ndarray = (shard["users"] + R @ shared["V"]) / (n_layers + 1)
    return of_unit_length(mean) if is_cosine else mean
