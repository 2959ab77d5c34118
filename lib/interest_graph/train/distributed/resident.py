"""Rounds within one barrier job: its tasks keep their shards in memory from round to round.

A job is a segment of the training: it ends when training is done or, so that rounds are stored,
after some seconds. The next one goes on from what it stored.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.arrays import Arrays, Shipped, pack_texts, unpack_texts
from interest_graph.partition_keys import keys_of_partitions
from interest_graph.train.distributed.array_codec import PACKED_COLUMNS, pack, unpack
from interest_graph.train.distributed.group import Group, joined
from interest_graph.train.distributed.progress import Progress, Reports, Schedule, is_finite
from interest_graph.train.distributed.sharded_graph import ShardedGraph
from interest_graph.train.distributed.slots import task_of
from interest_graph.train.kernels.lightgcn import array, tensor
from interest_graph.train.kernels.sparse import CSR_NAMES, HELD_NAMES
from interest_graph.train.kernels.worker_epoch import (
    EpochPlan,
    KeptShard,
    report_of,
    start_shard,
)

if TYPE_CHECKING:
    import torch

ROUND_COLUMNS = f"{PACKED_COLUMNS}, round INT"

_WHOLE = -1  # shard_id of rows that belong to no shard: item arrays and the record of the rounds

MakeShard = Callable[[int, Arrays, Arrays], KeptShard]


@dataclass(frozen=True)
class Outcome:
    """What a segment reached.

    progress: the rounds so far; items: by round, the item arrays of the last round and of the best
    one if they are of this segment; diverged: the reports of a round with a loss that is not
    finite, which ended the segment.
    """

    progress: Progress
    items: Mapping[int, Arrays]
    diverged: Reports | None = None


def segment_rows(
    graph: ShardedGraph,
    shared: Shipped,
    schedule: Schedule,
    progress: Progress,
    state: DataFrame | None,
    *,
    n_tasks: int,
    seconds: float,
    make: MakeShard = KeptShard,
) -> DataFrame:
    """Train until the end, or for about `seconds`; ROUND_COLUMNS, one barrier job, lazy.

    shared: items, and totals, or users_from as for `start_shard`; state: the shards' states after
    round progress.last, PACKED_COLUMNS, None before the first round. The rows hold the states after
    the last round, the users of the best one, and what `outcome` reads.
    """
    work = partial(
        _work,
        shipped=(graph.degrees, shared),
        schedule=schedule,
        recorded=json.dumps(asdict(progress)),
        seconds=seconds,
        make=make,
    )
    return _by_task(graph, state, n_tasks).mapInArrow(work, ROUND_COLUMNS, barrier=True)


def outcome(rows: DataFrame) -> Outcome:
    """Read the outcome of a segment from its rows; a few item arrays reach the driver."""
    whole = rows.where(F.col("shard_id") == _WHOLE).toPandas()
    arrays: dict[int, Arrays] = {}
    for number in whole["round"].unique().tolist():
        part = whole[whole["round"] == number].drop(columns="round")
        table = pa.Table.from_pandas(part, preserve_index=False)
        ((_, _, arrays[number]),) = unpack(table.to_batches())
    (told,) = [found.pop("told") for found in arrays.values() if "told" in found]
    recorded, diverged = map(json.loads, unpack_texts(told))
    items = {number: found for number, found in arrays.items() if found}
    return Outcome(Progress.from_json(recorded), items, diverged)


def _by_task(graph: ShardedGraph, state: DataFrame | None, n_tasks: int) -> DataFrame:
    """The rows of the shards and of their states, a partition a task."""
    rows = graph.rows.where(F.col("name").isin(*CSR_NAMES, *HELD_NAMES))
    if state is None and n_tasks == graph.n_shards:
        return rows
    if state is not None:
        rows = rows.unionByName(state.select(rows.columns))
    keys = keys_of_partitions(n_tasks)
    of_shard = [keys[task_of(shard, graph.n_shards, n_tasks)] for shard in range(graph.n_shards)]
    key = F.array(*map(F.lit, of_shard))[F.col("shard_id")]
    # With an explicit number of partitions, adaptive execution does not merge tasks.
    return rows.withColumn("_task", key).repartition(n_tasks, "_task").drop("_task")


def _work(
    batches: Iterable[pa.RecordBatch],
    *,
    shipped: tuple[Shipped, ...],
    schedule: Schedule,
    recorded: str,
    seconds: float,
    make: MakeShard,
) -> Iterator[pa.RecordBatch]:
    """A task of the barrier stage: trains its shards, one after another within a round."""
    shared = {name: values for part in shipped for name, values in part.load().items()}
    progress = Progress.from_json(json.loads(recorded))
    shards = _load(batches, shared, schedule.plan, make)
    ids = [shard.shard_id for shard in shards.values()]
    with joined(ids, next(iter(shards.values())).device) as group:
        segment = _Segment(group, schedule, list(shards.values()), shared, progress)
        segment.run(seconds)
    yield from segment.rows(list(shards))


def _load(
    batches: Iterable[pa.RecordBatch], shared: Arrays, plan: EpochPlan, make: MakeShard
) -> dict[int, KeptShard]:
    """The task's shards by shard_key, as after the last round or before the first.

    They are in the order of their ids.
    """
    shards = {}
    for shard_key, shard_id, shard in unpack(batches):
        if "totals" in shared:
            shards[shard_key] = make(shard_id, shard, shared)
        else:
            first = start_shard(shard_id, shard, shared, plan=plan)
            nothing = {**shared, "totals": first["own"]}
            shards[shard_key] = make(shard_id, {**shard, **first}, nothing)
    return shards


class _Segment:
    """One task's view of the training: its shards, and the item state that all tasks have alike."""

    def __init__(
        self,
        group: Group,
        schedule: Schedule,
        shards: list[KeptShard],
        shared: Arrays,
        progress: Progress,
    ) -> None:
        self._group, self._schedule, self._shards = group, schedule, shards
        self._progress, self._first = progress, progress.last
        self._items = tensor(shared["items"], shards[0].device)
        self._totals: torch.Tensor | None = None  # unknown before the first exchange
        self._best: dict[str, Any] = {}
        self._diverged: Reports | None = None
        self._is_stored = "totals" in shared
        if not self._is_stored:
            self._exchange()

    def run(self, seconds: float) -> None:
        """Train until the end or until a task finds that the time is over."""
        ends = time.monotonic() + seconds
        is_late = False
        while not (is_late or self._diverged or self._schedule.is_done(self._progress)):
            started = time.monotonic()
            plan = self._schedule.plan_of(self._progress.last + 1)
            self._measure(plan)
            if self._schedule.is_over(self._progress):
                return
            is_late = self._train(plan, started, ends)

    def rows(self, keys: list[int]) -> Iterator[pa.RecordBatch]:
        """ROUND_COLUMNS of this task; those that `outcome` reads come from the first task.

        keys: the shards' shard_key.
        """
        last = self._progress.last
        is_new = not self._diverged and (last > self._first or not self._is_stored)
        best = self._best if self._best.get("round") == self._progress.best != last else {}
        for place, (key, shard) in enumerate(zip(keys, self._shards, strict=True)):
            if is_new:
                yield from _rows(last, key, shard.shard_id, shard.state())
            if best:
                users = {"users": best["users"][place]}
                yield from _rows(best["round"], key, shard.shard_id, users)
        if self._group.rank:
            return
        told = [json.dumps(asdict(self._progress)), json.dumps(self._diverged)]
        whole = {"told": pack_texts(told)}
        if is_new and self._totals is not None:
            totals = self._totals.reshape(-1, self._items.shape[1])
            whole |= {"items": array(self._items), "totals": array(totals)}
        yield from _rows(last, 0, _WHOLE, whole)
        if best:
            yield from _rows(best["round"], 0, _WHOLE, {"items": best["items"]})

    def _measure(self, plan: EpochPlan) -> None:
        """Measure the last round; of the best one so far keep the parameters."""
        for shard in self._shards:
            shard.measure(plan)
        reports = self._reports()
        progress = self._progress
        progress.measure(reports)
        was_stored = self._is_stored and progress.last == self._first
        if progress.last in progress.metrics and progress.best == progress.last and not was_stored:
            users = [array(shard.model.users).copy() for shard in self._shards]
            items = array(self._items).copy() if self._group.rank == 0 else None
            self._best = {"round": progress.last, "users": users, "items": items}

    def _train(self, plan: EpochPlan, started: float, ends: float) -> bool:
        """Train one round and exchange; returns whether the time is over, in every task alike."""
        for shard in self._shards:
            shard.train(plan)
        is_late = float(time.monotonic() >= ends)
        rows = self._group.gathered([[*shard.log(), is_late] for shard in self._shards])
        reports = [_report(row[:-1]) for row in rows]
        if not is_finite(reports):
            self._diverged = reports
            return True
        self._exchange()
        self._progress.advance(reports, time.monotonic() - started)
        return any(row[-1] for row in rows)

    def _exchange(self) -> None:
        """Add up what the shards' items moved by, and their terms of the items' layers."""
        import torch

        own = [shard.own_parts() for shard in self._shards]
        moved = [shard.model.items - self._items for shard in self._shards]
        self._items = self._items + self._group.total(moved)
        sums = [self._group.total(layer) for layer in zip(*own, strict=True)]
        no_layer = self._items.new_empty((0, *self._items.shape))
        self._totals = torch.stack(sums) if sums else no_layer
        for shard in self._shards:
            shard.receive(self._items, self._totals)

    def _reports(self) -> Reports:
        rows = self._group.gathered([shard.log().tolist() for shard in self._shards])
        return [_report(row) for row in rows]


def _report(row: list[float]) -> dict[str, float]:
    return report_of(np.array(row, np.float32))  # as precise as the sums of a job


def _rows(number: int, key: int, shard_id: int, arrays: Arrays) -> Iterator[pa.RecordBatch]:
    for batch in pack(key, shard_id, arrays):
        rounds = pa.array([number] * batch.num_rows, pa.int32())
        yield batch.append_column("round", rounds)
