"""Random draws for training, in torch on the model's device. No Spark here.

Pairs of users and items come in random mini-batches, each with its negatives: items that its users
lack. Numbers are drawn for several mini-batches at once, so that a step waits for no draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from interest_graph.train.kernels.losses import Batch, Pool

if TYPE_CHECKING:
    import torch

_TRIES = 20  # draws of a negative before the user's lacking items are listed instead
# Numbers drawn at a time: what one draw needs in memory does not grow with the shard.
DRAWS_AT_A_TIME = 2**20

# Between uniform (0) and proportional to popularity (1): Mikolov et al., NeurIPS 2013.
POPULARITY_EXPONENT = 0.75


@dataclass(frozen=True)
class Drawing:
    """How the mini-batches of a pass are drawn.

    batch_size: pairs of a mini-batch; n_candidates: drawn for each pair, without a pool; pool_size:
    draws of the pool that a mini-batch shares, None without a pool; of_batch: the pool is the
    positives of the mini-batch and nothing is drawn; corrects: log_weights correct for how often
    an item is drawn.
    """

    batch_size: int
    n_candidates: int = 1
    pool_size: int | None = None
    of_batch: bool = False
    corrects: bool = True

    @property
    def batches_at_a_time(self) -> int:
        """Mini-batches whose numbers are drawn together."""
        widest = max(self.batch_size * self.n_candidates, self.pool_size or 0)
        return max(1, DRAWS_AT_A_TIME // widest)


class Sampler:
    """Draws mini-batches of one shard.

    indptr int64[users + 1], items int[edges]: the CSR matrix of the shard's edges, items in
    ascending order within a user; n_items: of the whole graph; chances: float64[n_items],
    probability of drawing each item as a negative, None for a uniform draw. All draws come from
    torch's generator of the device, seeded with `seed`: the same seed gives the same draws on the
    same kind of device.
    """

    def __init__(
        self,
        indptr: np.ndarray,
        items: np.ndarray,
        n_items: int,
        chances: np.ndarray | None = None,
        *,
        seed: int | tuple[int, ...] = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        import torch

        self.n_users, self.n_items, self.device = len(indptr) - 1, n_items, torch.device(device)
        self.indptr = self._there(indptr)
        self.items = self._there(items)
        self.counts = self.indptr.diff()
        self.owners = torch.repeat_interleave(self.counts, output_size=len(items))
        # Ascending, as items are within each user.
        self.edge_keys = self.owners * n_items + self.items
        self.chances = None if chances is None else torch.from_numpy(chances).to(self.device)
        self._cumulated = None if self.chances is None else self.chances.cumsum(0)
        self.generator = generator_of(seed, self.device)

    def batches(self, drawing: Drawing) -> Iterator[Batch]:
        """Mini-batches of one pass over the shard's edges, each with its negatives."""
        users, positives = self.edges(drawing.batch_size)
        step = drawing.batches_at_a_time * drawing.batch_size
        for part in slices(len(users), step):
            if drawing.pool_size is None:
                yield from self._with_candidates(users[part], positives[part], drawing)
            else:
                yield from self._with_pools(users[part], positives[part], drawing)

    def edges(self, batch_size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """All edges in random mini-batches, as users int64[n] and positives int64[n].

        Without the edges of users who have every item: they have no negatives. Within a mini-batch
        pairs are sorted by user, so that look-ups of neighbouring pairs read neighbouring memory.
        """
        import torch

        usable = torch.nonzero(self.counts[self.owners] < self.n_items)[:, 0]
        shuffled = usable[self._permutation(len(usable))]
        batch = torch.arange(len(usable), device=self.device) // batch_size
        order = shuffled[torch.argsort(batch * self.n_users + self.owners[shuffled], stable=True)]
        return self.owners[order], self.items[order]

    def negatives(self, users: torch.Tensor) -> torch.Tensor:
        """One item for each entry of `users` that this user lacks; int64[len(users)]."""
        import torch

        drawn = self.draw(len(users))
        open_ = torch.nonzero(self._has(users, drawn))[:, 0]
        for _ in range(_TRIES):
            if not len(open_):
                return drawn
            drawn[open_] = self.draw(len(open_))
            open_ = open_[self._has(users[open_], drawn[open_])]
        # The few left belong to users who have nearly every item: list what those lack.
        for position in open_.tolist():
            drawn[position] = self._any_lacking(int(users[position]))
        return drawn

    def draw(self, size: int) -> torch.Tensor:
        """Items drawn with repeats, whoever has them; int64[size]."""
        import torch

        drawn = torch.empty(size, dtype=torch.int64, device=self.device)
        if self._cumulated is None:
            return drawn.random_(self.n_items, generator=self.generator)
        # Inverse transform sampling; torch.multinomial allows 2^24 items at most.
        uniform = torch.empty(size, dtype=torch.float64, device=self.device)
        uniform.uniform_(generator=self.generator).mul_(self._cumulated[-1])
        return torch.searchsorted(self._cumulated, uniform).clamp_max_(self.n_items - 1)

    def seen(self, users: torch.Tensor, pool: torch.Tensor, n_edges: int) -> torch.Tensor:
        """Which items of the pool each user has: bool[users, pool].

        pool: distinct items; n_edges: of all the users together.
        """
        import torch

        counts = self.counts[users]
        rows = torch.repeat_interleave(counts, output_size=n_edges)
        firsts = self.indptr[users] - counts.cumsum(0) + counts
        edges = torch.arange(n_edges, device=self.device) + firsts[rows]
        # Items that are not in the pool are marked in a column after the last, which is cut off.
        place = torch.full((self.n_items,), len(pool), device=self.device)
        place[pool] = torch.arange(len(pool), device=self.device)
        shape = (len(users), len(pool) + 1)
        mask = torch.zeros(shape, dtype=torch.bool, device=self.device)
        mask[rows, place[self.items[edges]]] = True
        return mask[:, :-1]

    def _with_candidates(
        self, users: torch.Tensor, positives: torch.Tensor, drawing: Drawing
    ) -> Iterator[Batch]:
        n = drawing.n_candidates
        negatives = self.negatives(users if n == 1 else users.repeat_interleave(n))
        negatives = negatives if n == 1 else negatives.view(-1, n)
        for part in slices(len(users), drawing.batch_size):
            yield Batch(users[part], positives[part], negatives[part])

    def _with_pools(
        self, users: torch.Tensor, positives: torch.Tensor, drawing: Drawing
    ) -> Iterator[Batch]:
        import torch

        parts = list(slices(len(users), drawing.batch_size))
        batch = torch.arange(len(users), device=self.device) // drawing.batch_size
        people = Distinct(batch, users, self.n_users, len(parts))
        if drawing.of_batch:
            pools = Distinct(batch, positives, self.n_items, len(parts))
        else:
            size = drawing.pool_size or 0
            drawn = self.draw(len(parts) * size)
            of = torch.arange(len(drawn), device=self.device) // size
            pools = Distinct(of, drawn, self.n_items, len(parts))
        n_edges = people.sums(self.counts[people.ids])
        for number, part in enumerate(parts):
            who, which = people.slices[number], pools.slices[number]
            items, draws = pools.ids[which], pools.counts[which]
            size = part.stop - part.start if drawing.of_batch else drawing.pool_size or 0
            pool = Pool(
                firsts=people.firsts[who] - part.start,
                owners=people.owners[part] - who.start,
                seen=self.seen(people.ids[who], items, n_edges[number]),
                log_weights=self._log_weights(items, draws, size if drawing.corrects else None),
            )
            yield Batch(users[part], positives[part], items, pool)

    def _log_weights(
        self, items: torch.Tensor, draws: torch.Tensor, size: int | None
    ) -> torch.Tensor:
        """Log of how often each item was drawn, over how often it was to be expected of `size`."""
        import torch

        weights = draws.to(torch.float64).log_()
        if size is not None:
            uniform = torch.full_like(weights, 1 / self.n_items)
            weights -= (size * (uniform if self.chances is None else self.chances[items])).log()
        return weights.to(torch.float32)

    def _has(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        import torch

        if not len(self.edge_keys):
            return torch.zeros_like(users, dtype=torch.bool)
        keys = users * self.n_items + items
        found = torch.searchsorted(self.edge_keys, keys).clamp_max_(len(self.edge_keys) - 1)
        return self.edge_keys[found] == keys

    def _any_lacking(self, user: int) -> torch.Tensor:
        import torch

        lacks = torch.ones(self.n_items, dtype=torch.bool, device=self.device)
        lacks[self.items[self.indptr[user] : self.indptr[user + 1]]] = False
        lacking = torch.nonzero(lacks)[:, 0]
        return lacking[self._permutation(len(lacking))[0]]

    def _permutation(self, n: int) -> torch.Tensor:
        import torch

        return torch.randperm(n, generator=self.generator, device=self.device)

    def _there(self, values: np.ndarray) -> torch.Tensor:
        import torch

        return torch.from_numpy(values.astype(np.int64)).to(self.device)


class Distinct:
    """The distinct ids of each of several mini-batches, in one array; the device is asked once.

    batch int64[n], ids int64[n] below n_ids: the mini-batch and id of each entry. ids, counts:
    int64[M], distinct ids by mini-batch and how often each occurs; slices: by mini-batch, its part
    of them; owners: int64[n], position in `ids` of each entry; firsts: int64[M], first entry of
    each id.
    """

    def __init__(self, batch: torch.Tensor, ids: torch.Tensor, n_ids: int, n_batches: int) -> None:
        import torch

        keys, self.owners, self.counts = torch.unique(
            batch * n_ids + ids, return_inverse=True, return_counts=True
        )
        self.ids, self._batch = keys % n_ids, keys // n_ids
        ends = torch.bincount(self._batch, minlength=n_batches).cumsum(0).tolist()
        self.slices = [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
        entries = torch.arange(len(ids), device=ids.device)
        self.firsts = torch.full_like(keys, len(ids))
        self.firsts.scatter_reduce_(0, self.owners, entries, "amin")

    def sums(self, values: torch.Tensor) -> list[int]:
        """Sums of int64[M] values by mini-batch."""
        import torch

        totals = torch.zeros(len(self.slices), dtype=torch.int64, device=values.device)
        result: list[int] = totals.index_add_(0, self._batch, values).tolist()
        return result


def generator_of(seed: int | tuple[int, ...], device: str | torch.device) -> torch.Generator:
    """Torch's random generator on the device, seeded with all the numbers of `seed`."""
    import torch

    (state,) = np.random.SeedSequence(seed).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(state >> np.uint64(1)))


def chances_of(kind: str, degrees: np.ndarray) -> np.ndarray | None:
    """Probability of drawing each item, float64[items]; None for the uniform distribution.

    kind: uniform; popularity: degree ** 0.75; in_batch: in proportion to the degree, the
    distribution of negatives that are other users' positives of the same batch.
    """
    if kind == "uniform":
        return None
    weights = degrees ** (POPULARITY_EXPONENT if kind == "popularity" else 1.0)
    chances: np.ndarray = weights / weights.sum()
    return chances


def slices(n: int, size: int) -> Iterator[slice]:
    """Consecutive slices of range(n), each of at most `size`."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
