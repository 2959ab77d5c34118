"""How a worker's memory is kept between the steps of training."""

from __future__ import annotations

import ctypes
from functools import cache

# Parameters of mallopt in the GNU C library's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_NEVER = 2**31 - 1


@cache
def keep_freed_memory() -> None:
    """Have malloc reuse what large arrays leave, where it would give it back to the system.

    A step makes and drops dozens of arrays of tens of MB; by default each is mapped anew, and the
    kernel clears its pages: a quarter of a step. The peak stays what it is; it is held until the
    worker ends. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _NEVER)
        mallopt(_TRIM_THRESHOLD, _NEVER)
