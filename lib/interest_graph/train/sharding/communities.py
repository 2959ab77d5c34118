"""Communities of items and users, numbered so that similar communities have near numbers.

No Spark here. Spectral co-clustering (Dhillon, "Co-clustering documents and words using bipartite
spectral graph partitioning", KDD 2001): the leading singular vectors of R^ embed items and users in
one space, in which communities are directions; rows are scaled to unit length as in Ng, Jordan and
Weiss, "On spectral clustering", NeurIPS 2001. Groups are found by repeated bisection, which gives
them their order.
"""

from __future__ import annotations

import numpy as np

from interest_graph.arrays import Arrays
from interest_graph.train.kernels.ranking import of_unit_length
from interest_graph.train.kernels.sparse import normalised

_ITERATIONS = 10  # of 2-means in a bisection: later ones move few items


def group_centres(vectors: np.ndarray, masses: np.ndarray, n_groups: int) -> np.ndarray:
    """Split the items into at most n_groups groups of about equal mass; returns their centres.

    vectors: float32[items, d], of which only the direction counts; masses: float64[items]. The
    heaviest group is split in two until there are n_groups or no group can be split; the halves
    take its place in the order. Returns float32[groups, d], rows of unit length.
    """
    places = of_unit_length(vectors)
    groups = [np.flatnonzero(masses > 0)]
    weights = [float(masses.sum())]
    while len(groups) < n_groups and max(weights) > 0:
        heaviest = int(np.argmax(weights))
        members = groups[heaviest]
        side = _bisect(places[members], masses[members])
        if side is None:
            weights[heaviest] = 0.0  # its items have one direction: never tried again
            continue
        halves = [members[~side], members[side]]
        groups[heaviest : heaviest + 1] = halves
        weights[heaviest : heaviest + 1] = [float(masses[half].sum()) for half in halves]
    sums = [masses[members] @ places[members] for members in groups]
    return of_unit_length(np.array(sums, dtype=np.float32))


def nearest_group(shard: Arrays, shared: Arrays) -> np.ndarray:
    """The number of the group nearest to each user of the shard: float32[users, 1].

    A user's vector is its row of R^_s V. shared: V float32[items, d]; centres float32[groups, d] as
    from `group_centres`.
    """
    users: np.ndarray = normalised(shard, shared) @ shared["V"]
    # Users need no scaling: a user's length does not change which unit centre is nearest.
    nearest: np.ndarray = (users @ shared["centres"].T).argmax(axis=1)
    return nearest.astype(np.float32)[:, None]


def _bisect(places: np.ndarray, masses: np.ndarray) -> np.ndarray | None:
    """Divide unit vectors in two groups by 2-means, started along their direction of most variance.

    Returns bool[n], true for the second group; None when one group would be empty.
    """
    spread = places - masses @ places / masses.sum()
    widest = np.linalg.eigh((spread * masses[:, None]).T @ spread)[1][:, -1]
    # The sign of an eigenvector is arbitrary, and with it the order of the halves.
    side = spread @ (widest * np.sign(widest[np.abs(widest).argmax()])) > 0
    for _ in range(_ITERATIONS):
        if side.all() or not side.any():
            return None
        centres = of_unit_length(np.stack([masses[half] @ places[half] for half in (~side, side)]))
        closer = places @ (centres[1] - centres[0]) > 0
        if (closer == side).all():
            break
        side = closer
    return None if side.all() or not side.any() else side
