"""The k largest values of each row, of equal values those in the smaller columns. NumPy alone.

The one place that decides which scores, weights or similarities are kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating[Any]]
Indices = NDArray[np.integer[Any]]
Positions = NDArray[np.intp]

# Groups of columns for each value that is looked for: more of them leave fewer values to sort.
_GROUPS = 8
# A sparse row with more entries is cut at its k-th largest; shorter ones are sorted together.
_SHORT_ROW = 64


def largest_columns(values: Values, k: int) -> Positions:
    """Columns of each row's k largest values, best first: int[rows, min(k, columns)].

    values: [rows, columns], NaN being the smallest; -inf is chosen where nothing else is left.
    """
    n_rows, n_columns = values.shape
    k = min(k, n_columns)
    if not n_rows or not k:
        return np.empty((n_rows, k), dtype=np.intp)
    maxima = _maxima_of_groups(values, k)
    if np.isnan(maxima).any():
        return largest_columns(np.where(np.isnan(values), -np.inf, values), k)
    # At least k values of a row reach its bound, and few others exceed it.
    bounds = np.partition(maxima, -k, axis=1)[:, -k]
    rows, columns = np.divmod(np.flatnonzero(values > bounds[:, None]), n_columns)
    n_larger = np.bincount(rows, minlength=n_rows)
    found = np.zeros((n_rows, max(k, n_larger.max())), dtype=np.intp)
    sunk = np.full(found.shape, np.inf, dtype=values.dtype)
    places = places_in_runs(rows)
    found[rows, places], sunk[rows, places] = columns, -values[rows, columns]
    for row in np.flatnonzero(n_larger < k):  # the bound itself is their k-th largest
        left = slice(n_larger[row], k)
        found[row, left] = _first_equal(values[row], bounds[row], k - n_larger[row])
        sunk[row, left] = -bounds[row]
    # Stable, and equal values are in the order of their columns.
    best_first = np.argsort(sunk, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(found, best_first, axis=1)


def largest_entries(
    values: Values, columns: Indices, starts: Indices, k: int, above: float = -np.inf
) -> Positions:
    """Positions of each sparse row's k largest entries, ordered by row and then best first.

    values, columns, starts: data, indices and indptr of a CSR matrix, the columns in any order.
    above: only entries larger than it count, so that a row may have fewer than k.
    """
    least = _kth_of_rows(values, starts, k, longer_than=max(k, _SHORT_ROW))
    kept = np.flatnonzero((values > above) & (values >= np.repeat(least, np.diff(starts))))
    rows = np.searchsorted(starts, kept, side="right")
    best_first = np.lexsort((columns[kept], -values[kept], rows))
    return kept[best_first[places_in_runs(rows[best_first]) < k]]


def mark_largest(values: Values, columns: Indices, starts: Indices, k: int) -> NDArray[np.bool_]:
    """Mark the entries that `largest_entries` finds, which takes no sort: bool[entries]."""
    least = _kth_of_rows(values, starts, k, longer_than=k)
    is_kept: NDArray[np.bool_] = values >= np.repeat(least, np.diff(starts))
    n_kept = np.diff(np.concatenate([[0], np.cumsum(is_kept)])[starts])
    for row in np.flatnonzero(n_kept > k):
        first = starts[row]
        equal = first + np.flatnonzero(values[first : starts[row + 1]] == least[row])
        is_kept[equal[np.argsort(columns[equal])[k - n_kept[row] :]]] = False
    return is_kept


def places_in_runs(groups: Positions) -> Positions:
    """0, 1, ... within each run of equal values of `groups`, which are in order and >= 0."""
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    return np.arange(len(groups)) - np.repeat(starts, np.diff(starts, append=len(groups)))


def _maxima_of_groups(values: Values, k: int) -> Values:
    """The largest values of groups of columns: [rows, groups], k groups at least.

    Their k-th largest bounds that of the row. To partition whole rows takes three times as long,
    and ten times where most values are equal, as scores of 0 are.
    """
    n_rows, n_columns = values.shape
    size = max(1, n_columns // (_GROUPS * k))
    n_groups = n_columns // size
    maxima: Values = values[:, : size * n_groups].reshape(n_rows, size, n_groups).max(axis=1)
    return maxima


def _first_equal(row: Values, value: np.floating[Any], n: int) -> Positions:
    """The first n columns that hold the value; there are so many."""
    width = 4 * n
    while True:
        found = np.flatnonzero(row[:width] == value)[:n]
        if len(found) == n:
            return found
        width *= 8


def _kth_of_rows(values: Values, starts: Indices, k: int, *, longer_than: int) -> Values:
    """The k-th largest entry of each sparse row with more than so many; -inf for the others."""
    sizes = np.diff(starts)
    least = np.full(len(sizes), -np.inf, dtype=values.dtype)
    for row in np.flatnonzero(sizes > longer_than):
        place = sizes[row] - k
        least[row] = np.partition(values[starts[row] : starts[row + 1]], place)[place]
    return least
