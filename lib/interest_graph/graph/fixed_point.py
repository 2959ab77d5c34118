"""Sums in fixed point, which do not depend on the order of their terms."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

# Two 64-bit counters: 2**28 units of 1 leave room for a total of 2**35, 2**44 more bits follow.
_HIGH = float(2**28)
_LOW = float(2**44)


def exact_sum(terms: Column) -> Column:
    """Sum of non-negative doubles, the same for every partitioning and order of the rows.

    Terms are truncated to multiples of 2**-72; totals must stay below 2**35. A sum of doubles would
    depend in its last bits on the order of the rows, and so would ties that these bits decide.
    """
    units = terms * _HIGH
    high = F.floor(units)
    low = F.floor((units - high) * _LOW)
    return F.sum(high) / _HIGH + F.sum(low) / (_HIGH * _LOW)
