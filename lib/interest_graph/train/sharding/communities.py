"""Groups of items and users that belong together, in an order where neighbours are alike.

No Spark here. Dhillon, "Co-clustering documents and words using bipartite spectral graph
partitioning", KDD 2001: the leading singular vectors of R^ place items and users in one space,
where directions are communities (rows of unit length as in Ng, Jordan and Weiss, "On spectral
clustering", NeurIPS 2001). Here by repeated bisection, so that the groups have an order.
"""

from __future__ import annotations

import numpy as np

from interest_graph.arrays import Arrays
from interest_graph.train.kernels.ranking import of_unit_length
from interest_graph.train.kernels.sparse import normalised

_STEPS = 10  # of 2-means in a bisection: later ones move few items


def group_centres(vectors: np.ndarray, masses: np.ndarray, n_groups: int) -> np.ndarray:
    """Split the items into groups of about equal mass; float32[groups, d], unit rows, in order.

    vectors: float32[items, d], rows of any length; masses: float64[items]. The heaviest group is
    split in two until there are n_groups, or none can be split. Groups that were split last are
    next to each other.
    """
    places = of_unit_length(vectors)
    groups = [np.flatnonzero(masses > 0)]
    weights = [float(masses.sum())]
    while len(groups) < n_groups and max(weights) > 0:
        heaviest = int(np.argmax(weights))
        members = groups[heaviest]
        side = _bisect(places[members], masses[members])
        if side is None:
            weights[heaviest] = 0.0  # all alike: stays whole
            continue
        halves = [members[~side], members[side]]
        groups[heaviest : heaviest + 1] = halves
        weights[heaviest : heaviest + 1] = [float(masses[half].sum()) for half in halves]
    sums = [masses[members] @ places[members] for members in groups]
    return of_unit_length(np.array(sums, dtype=np.float32))


def nearest_group(shard: Arrays, shared: Arrays) -> np.ndarray:
    """The group of each of the shard's users: float32[users, 1].

    shared: V float32[items, d], whose projection R^ @ V places the users; centres as from
    `group_centres`.
    """
    users: np.ndarray = normalised(shard, shared) @ shared["V"]
    # A user's length changes no comparison between unit centres.
    nearest: np.ndarray = (users @ shared["centres"].T).argmax(axis=1)
    return nearest.astype(np.float32)[:, None]


def _bisect(places: np.ndarray, masses: np.ndarray) -> np.ndarray | None:
    """Which of two groups each place is in, by 2-means from the widest direction; None if alike."""
    spread = places - masses @ places / masses.sum()
    widest = np.linalg.eigh((spread * masses[:, None]).T @ spread)[1][:, -1]
    # The sign of an eigenvector is arbitrary, and with it the order of the halves.
    side = spread @ (widest * np.sign(widest[np.abs(widest).argmax()])) > 0
    for _ in range(_STEPS):
        if side.all() or not side.any():
            return None
        centres = of_unit_length(np.stack([masses[half] @ places[half] for half in (~side, side)]))
        closer = places @ (centres[1] - centres[0]) > 0
        if (closer == side).all():
            break
        side = closer
    return None if side.all() or not side.any() else side
