"""Paths from a user's history to recommended items; NumPy and SciPy, no Spark in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from interest_graph.largest import largest_entries, places_in_runs

Positions = NDArray[np.intp]
NOWHERE = -1

SIMILAR_USERS_REASON = "chosen by people with a history like yours"


@dataclass(frozen=True)
class ItemGraph:
    """The item side of the interest graph.

    near: float32[n_items, n_items], symmetric, weights of item-item edges; about: float32[n_items,
    n_interests], weights of item-interest edges; names, interests: what people read.
    """

    near: csr_array
    about: csr_array
    names: Sequence[str]
    interests: Sequence[str]


def strongest_paths(
    histories: csr_array, users: Positions, items: Positions, graph: ItemGraph
) -> Positions:
    """The two items of each user's history with the heaviest paths to the recommended item.

    histories: r, float32[n_users, n_items]; users[n], items[n]: the recommendations.
    A path over item j weighs r_uj * near[j, i]; without such a path, r_uj * <about_j, about_i>.
    Returns int[n, 2] item positions, heaviest first, NOWHERE where there is none.
    """
    edges = histories[users]
    paths = heaviest(edges.multiply(graph.near[items]).tocsr(), 2)
    pathless = np.flatnonzero(paths[:, 0] == NOWHERE)
    likeness = _weigh_by_interests(edges[pathless], items[pathless], graph.about)
    paths[pathless] = heaviest(likeness, 2)
    return paths


def shared_interests(items: Positions, paths: Positions, about: csr_array) -> Positions:
    """The heaviest interest of each item that its path items have too; int[n], NOWHERE if none."""
    common = about[items]
    for path in paths.T:
        has = (about[np.maximum(path, 0)] > 0).astype(np.float32)
        has_or_no_item = has.maximum(_full_rows(path == NOWHERE, common))
        common = common.multiply(has_or_no_item).tocsr()
    return heaviest(common, 1)[:, 0]


def heaviest(matrix: csr_array, k: int) -> Positions:
    """Columns of each row's k largest entries > 0, ties to the smaller; int[n_rows, k]."""
    found = np.full((matrix.shape[0], k), NOWHERE, dtype=np.intp)
    best = largest_entries(matrix.data, matrix.indices, matrix.indptr, k, above=0)
    rows = np.searchsorted(matrix.indptr, best, side="right") - 1
    found[rows, places_in_runs(rows)] = matrix.indices[best]
    return found


def reason_line(names: Sequence[str], interest: str | None) -> str:
    """What people read: the path's items, and the interest that they share, if any."""
    if not names:
        return SIMILAR_USERS_REASON
    if interest is not None:
        verb = "share" if len(names) > 1 else "shares"
        return f"because of {', '.join(names)} that {verb} {interest}"
    return f"because you liked {' and '.join(names)}, often chosen together with it"


def reason_lines(
    histories: csr_array, users: Positions, items: Positions, graph: ItemGraph
) -> list[str]:
    """One line of reason for each recommendation (users[n], items[n]); see strongest_paths.

    An item that the graph lacks has the position NOWHERE.
    """
    in_graph = items != NOWHERE
    if not in_graph.any():
        return [SIMILAR_USERS_REASON] * len(items)
    paths = np.full((len(items), 2), NOWHERE, dtype=np.intp)
    paths[in_graph] = strongest_paths(histories, users[in_graph], items[in_graph], graph)
    shared = shared_interests(items, paths, graph.about)
    names, interests = graph.names, [*graph.interests, None]  # NOWHERE is the last: None
    return [
        reason_line([names[j] for j in path if j != NOWHERE], interests[interest])
        for path, interest in zip(paths.tolist(), shared.tolist(), strict=True)
    ]


def _weigh_by_interests(edges: csr_array, items: Positions, about: csr_array) -> csr_array:
    """Entry (n, j) of `edges` times <about_j, about_items[n]>."""
    rows = np.repeat(np.arange(edges.shape[0]), np.diff(edges.indptr))
    alike = about[edges.indices].multiply(about[items[rows]]).sum(axis=1)
    weighed: csr_array = edges.copy()
    weighed.data = edges.data * np.asarray(alike, dtype=np.float32).ravel()
    return weighed


def _full_rows(is_full: NDArray[np.bool_], like: csr_array) -> csr_array:
    """Ones where `like` has entries, in the rows that are marked."""
    ones: csr_array = like.copy()
    ones.data = np.repeat(is_full, np.diff(like.indptr)).astype(np.float32)
    return ones
