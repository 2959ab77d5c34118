"""The sharpening of smoothed scores, a linear process on the item-item graph. No Spark in here."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_ORDER = 4


def sharpened(
    X: np.ndarray, product: Callable[[np.ndarray], np.ndarray], time: float
) -> np.ndarray:
    """What dX/dt = -P X makes of X within `time`, in one Runge-Kutta step of order 4.

    X: float32[items, n]; product: X -> P X, called four times. Where P smooths scores over similar
    items, this takes smoothing back, most where nearly all items look similar. Choi et al.,
    "Blurring-Sharpening Process Models for Collaborative Filtering", SIGIR 2023, who solve it this
    way. As P is linear, the step is the first five terms of exp(-time P) X.
    """
    if time == 0:
        return X
    term, total = X, X.copy()
    for order in range(1, _ORDER + 1):
        term = product(term) * np.float32(-time / order)
        total += term
    return total
