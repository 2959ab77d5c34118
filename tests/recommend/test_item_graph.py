"""Reasons from a packed and routed graph against a plain search, on random graphs; no Spark."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from interest_graph.recommend.explain import explain_batch
from interest_graph.recommend.item_graph import (
    ABOUT,
    MET,
    NAMES,
    RECOMMENDED,
    pack_near,
    read_item_graph,
    route,
)
from interest_graph.recommend.packed import pack_table, streams_in, unpack

N_ITEMS, N_USERS, N_BLOCKS, N_GROUPS = 40, 30, 3, 2


def key(i):
    return f"i{i:02d}"


class World:
    """A random graph with small whole weights, and users with histories and lists."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        # Items from 35 on are in edges and lists, but no vertices of the graph.
        self.names = {key(i): f"Item {i}" for i in range(35)}
        ends = rng.integers(0, N_ITEMS, (150, 2))
        self.near = {
            (key(a), key(b)): float(rng.integers(1, 5)) for a, b in ends.tolist() if a != b
        }
        pairs = {(key(i), f"Interest {t}") for i, t in rng.integers(0, [[N_ITEMS, 6]], (70, 2))}
        self.about = {pair: float(rng.integers(1, 4)) for pair in sorted(pairs)}
        self.users = [
            (
                f"u{u}",
                {key(i): float(rng.integers(0, 4)) for i in rng.permutation(N_ITEMS)[:4]},
                [key(i) for i in rng.permutation(N_ITEMS)[:3]],
            )
            for u in range(N_USERS)
        ]


def reason(world, history, item):
    """The reason by a plain search over dictionaries."""
    similar = "chosen by people with a history like yours"
    if item not in world.names:
        return similar

    def near(j):
        return max(world.near.get(ends, 0) for ends in ((item, j), (j, item)))

    def interests(i):
        return {name: weight for (owner, name), weight in world.about.items() if owner == i}

    def alike(j):
        return sum(w * interests(item).get(name, 0) for name, w in interests(j).items())

    known = {j: weight for j, weight in history.items() if j in world.names}
    for likeness in (near, alike):
        weights = {j: weight * likeness(j) for j, weight in known.items()}
        best = sorted((j for j in weights if weights[j] > 0), key=lambda j: (-weights[j], j))[:2]
        if best:
            break
    else:
        return similar
    shared = {n: w for n, w in interests(item).items() if all(n in interests(j) for j in best)}
    names = [world.names[j] for j in best]
    if shared:
        top = min(shared, key=lambda name: (-shared[name], name))
        return f"because of {', '.join(names)} that {'share' if best[1:] else 'shares'} {top}"
    return f"because you liked {' and '.join(names)}, often chosen together with it"


def columns(block_of, **values):
    ints = {
        name: pa.array([block_of(i) for i in values[of]], pa.int32())
        for name, of in (("block", "item_id"), ("other_block", "text"))
    }
    return {**values, **ints}


def packed_graph(world, block_of):
    """PACKED_COLUMNS of the whole graph."""
    pairs = zip(*world.near, strict=True)
    weights = {"weight": pa.array(list(world.near.values()), pa.float32())}
    near = columns(
        block_of, **dict(zip(("item_id", "text"), map(list, pairs), strict=True)), **weights
    )
    order = ["item_id", "text", "weight", "block", "other_block"]
    yield from pack_near([pa.table(near).select(order).to_batches()[0]])
    items, interests = map(list, zip(*world.about, strict=True))
    blocks = pa.array([block_of(i) for i in items], pa.int32())
    weight = pa.array(list(world.about.values()), pa.float32())
    about = {"item_id": items, "text": interests, "weight": weight, "block": blocks}
    yield from pack_table(pa.table(about), ABOUT)
    blocks = pa.array([block_of(i) for i in world.names], pa.int32())
    names = {"item_id": list(world.names), "text": list(world.names.values()), "block": blocks}
    yield from pack_table(pa.table(names), NAMES)


def packed_needs(world, block_of):
    """PACKED_COLUMNS of the items that each group's users need."""
    for group in range(N_GROUPS):
        for name, of in ((MET, 1), (RECOMMENDED, 2)):
            items = [i for user in world.users[group::N_GROUPS] for i in user[of]]
            ints = {
                "block": pa.array([block_of(i) for i in items], pa.int32()),
                "user_group": pa.array([group] * len(items), pa.int32()),
            }
            yield from pack_table(pa.table({"item_id": items, **ints}), name)


def read_all(rows, group=None):
    """The unpacked tables of one group."""
    streams = {}
    for row in rows:
        for found, name, stream in streams_in(row):
            if found == group:
                streams.setdefault(name, []).append(stream)
    return read_item_graph(unpack(streams))


def explained(users, graph):
    """(user, item) -> reason."""
    ids, histories, lists = zip(*users, strict=True)
    batch = pa.record_batch(
        {
            "user_id": list(ids),
            "rank": [[1, 2, 3]] * len(users),
            "item_id": list(lists),
            "score": [[0.5] * 3] * len(users),
            "items": [list(history) for history in histories],
            "weights": pa.array([list(h.values()) for h in histories], pa.list_(pa.float32())),
        }
    )
    rows = explain_batch(batch, *graph).to_pylist()
    return {(row["user_id"], row["item_id"]): row["reason"] for row in rows}


def expected(world, users):
    return {
        (u, item): reason(world, history, item) for u, history, items in users for item in items
    }


@pytest.mark.parametrize("seed", range(5))
def test_reasons_from_the_whole_graph_equal_a_plain_search(seed):
    world = World(seed)

    found = explained(world.users, read_all(packed_graph(world, lambda item: 0)))

    assert found == expected(world, world.users)
    assert len({text.split()[1] for text in found.values()}) == 3  # of, you, by


@pytest.mark.parametrize("seed", range(5))
def test_reasons_from_the_rows_routed_to_a_group_equal_a_plain_search(seed):
    world = World(seed)

    def block_of(item):
        return int(item[1:]) % N_BLOCKS

    rows = [*packed_graph(world, block_of), *packed_needs(world, block_of)]
    routed = [
        row
        for block in range(N_BLOCKS)
        for row in route([r for r in rows if r["block"][0].as_py() == block])
    ]

    for group in range(N_GROUPS):
        users = world.users[group::N_GROUPS]
        assert explained(users, read_all(routed, group)) == expected(world, users)


def test_a_group_gets_no_names_but_of_the_items_it_needs():
    world = World(0)
    user = ("u", {key(1): 1.0}, [key(2)])
    world.users = [user] * N_GROUPS

    rows = [*packed_graph(world, lambda item: 0), *packed_needs(world, lambda item: 0)]
    ids, graph = read_all(route(rows), group=1)

    assert ids.to_pylist() == [key(1), key(2)]
    assert graph.near.shape == (2, 2)


def test_without_any_known_item_similar_users_are_the_reason():
    found = explained([("u", {"x": 1.0}, ["y", "z", "w"])], read_item_graph({}))

    assert set(found.values()) == {"chosen by people with a history like yours"}
