"""Sums over the shards that the tasks of a barrier stage hold, by torch.distributed.

Every float32 term of a sum reaches one task, which adds the shards in the order of their ids, in
float64, as `item_sums` does: the result is the same whatever the number of tasks. A task is sent
its slice of all terms and sends the sums of the slice to the others, which for one shard a task is
as much as a ring all-reduce sends.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch.distributed import Store  # type: ignore[attr-defined] # exported by *

_JOIN_TIME = timedelta(minutes=5)
# A task may train far longer than another. One that dies closes its connections, which ends the
# others at once; Spark ends those of a lost host.
_WAIT_TIME = timedelta(days=1)


@dataclass(frozen=True)
class Group:
    """The tasks of a stage. rank: of this one; shards: the shard ids of each task, by rank."""

    rank: int
    shards: tuple[tuple[int, ...], ...]
    device: str = "cpu"

    @property
    def n_shards(self) -> int:
        """Number of shards of all tasks."""
        return sum(map(len, self.shards))

    def total(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        """The sum over the shards of all tasks, shaped like a part, float32, alike in every task.

        parts: of this task's shards in order, float32, all of the same shape.
        """
        import torch
        import torch.distributed as dist

        shape, home = parts[0].shape, parts[0].device
        if len(self.shards) == 1:
            return self._added(parts).to(home)
        n_tasks, n = len(self.shards), parts[0].numel()
        size = -(-n // n_tasks)
        sent = torch.zeros((n_tasks, len(parts), size), device=self.device)
        for place, part in enumerate(parts):
            flat = torch.zeros(n_tasks * size, device=self.device)
            flat[:n] = part.reshape(-1).to(self.device)
            sent[:, place] = flat.reshape(n_tasks, size)
        counts = [len(ids) * size for ids in self.shards]
        received = torch.empty(sum(counts), device=self.device)
        dist.all_to_all_single(received, sent.reshape(-1), counts, [sent[0].numel()] * n_tasks)
        sums = torch.empty(n_tasks * size, device=self.device)
        dist.all_gather_into_tensor(sums, self._added(received.reshape(-1, size)))
        return sums[:n].reshape(shape).to(home)

    def gathered(self, rows: Sequence[Sequence[float]]) -> list[list[float]]:
        """One row of numbers of each shard of all tasks, by shard id; rows: of this task's."""
        import torch
        import torch.distributed as dist

        most = max(map(len, self.shards))
        own = torch.zeros((most, len(rows[0])), dtype=torch.float64, device=self.device)
        own[: len(rows)] = torch.tensor(rows, dtype=torch.float64)
        everyone = [torch.empty_like(own) for _ in self.shards]
        if len(everyone) == 1:
            everyone = [own]
        else:
            dist.all_gather(everyone, own)
        by_id = {
            shard: table[place].tolist()
            for ids, table in zip(self.shards, everyone, strict=True)
            for place, shard in enumerate(ids)
        }
        return [by_id[shard] for shard in sorted(by_id)]

    def _added(self, terms: Sequence[torch.Tensor] | torch.Tensor) -> torch.Tensor:
        """The sum of one term a shard, given by rank; added by shard id."""
        import torch

        held = [shard for ids in self.shards for shard in ids]
        order = sorted(range(len(held)), key=held.__getitem__)
        total = terms[order[0]].to(torch.float64)
        for place in order[1:]:
            total = total + terms[place]
        return total.float()


@contextmanager
def joined(shard_ids: Sequence[int], device: str) -> Iterator[Group]:
    """The group of all tasks of this barrier stage, within the block.

    shard_ids: of the shards that this task holds, in order; device: torch's name of where they are.
    NCCL sums where every task has a GPU of its own, gloo elsewhere.
    """
    from pyspark import BarrierTaskContext

    context = BarrierTaskContext.get()
    hosts = [info.address.rsplit(":", 1)[0].strip("[]") for info in context.getTaskInfos()]
    if len(hosts) == 1:
        yield Group(0, (tuple(shard_ids),), device)
        return
    rank = context.partitionId()
    listener = _listener(hosts[0]) if rank == 0 else None
    port = listener.getsockname()[1] if listener else 0
    # One exchange by Spark, whose tasks look for the answer once a second only.
    told = context.allGather(json.dumps([list(shard_ids), device, port]))
    shards, devices, ports = zip(*map(json.loads, told), strict=True)
    has_gpus = "cpu" not in devices and len(set(zip(hosts, devices, strict=True))) == len(hosts)
    place = device if has_gpus else "cpu"
    with _connected(_store(hosts, ports[0], listener), hosts, rank, place):
        yield Group(rank, tuple(map(tuple, shards)), place)


@contextmanager
def _connected(store: Store, hosts: list[str], rank: int, device: str) -> Iterator[None]:
    """Connect this process with those of the other tasks, which meet at the store."""
    import torch
    import torch.distributed as dist

    _choose_interface(hosts[rank])
    if device != "cpu":
        torch.cuda.set_device(device)
    dist.init_process_group(
        "gloo" if device == "cpu" else "nccl",
        store=store,
        rank=rank,
        world_size=len(hosts),
        timeout=_WAIT_TIME,
    )
    try:
        yield
    except RuntimeError as error:
        if "gloo" not in str(error) and not isinstance(error, dist.DistError):
            raise
        raise ConnectionError("another worker was lost, or cannot be reached") from error
    # Not after an error: the others would see the connections close before Spark hears of it.
    dist.barrier()
    dist.destroy_process_group()  # Spark gives the process to other tasks


def _store(hosts: list[str], port: int, listener: socket.socket | None) -> Store:
    """Where the tasks tell each other their addresses: at the first of them, which listens."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined] # exported by *

    return TCPStore(
        hosts[0],
        port,
        len(hosts),
        is_master=listener is not None,
        timeout=_JOIN_TIME,
        wait_for_workers=False,
        master_listen_fd=listener.detach() if listener else None,
    )


def _listener(host: str) -> socket.socket:
    """A socket at the address of the executor alone, where a TCPStore would listen at any."""
    family = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind((host, 0))
    listener.listen()
    return listener


def _choose_interface(host: str) -> None:
    """Have gloo and NCCL use the network interface of the executor's address, if one is found.

    By default gloo takes that of the host's name, which may be another one, or none.
    """
    import psutil

    addresses = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    for name, entries in psutil.net_if_addrs().items():
        if any(entry.address.split("%")[0] in addresses for entry in entries):
            os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = name
            return
