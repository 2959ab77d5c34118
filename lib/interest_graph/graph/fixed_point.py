"""Sums in fixed point, which do not depend on the order of their terms."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

MOST_SUMMED = 2.0**55  # totals from here on are given as infinite

# Three 64-bit counters: the first of units of 2**-8, each other of units 2**-32 of the one before.
# With 32 bits a term, the last two have room for 2**31 terms.
_FIRST, _STEP = 2.0**8, 2.0**32
_LARGEST = 2**63 - 1


def exact_sum(terms: Column) -> Column:
    """Sum of non-negative doubles, the same for every partitioning and order of the rows.

    Terms are truncated to multiples of 2**-72. A total of MOST_SUMMED or more is infinite, and so
    is one with a term that is infinite or no number; without terms it is null. A sum of doubles
    would depend in its last bits on the order of the rows, and so would ties that these bits
    decide.
    """
    units = terms * _FIRST
    # Spark holds NaN to be larger than any number. The counter of such a term is full.
    first = F.when(terms >= MOST_SUMMED, F.lit(_LARGEST)).otherwise(F.floor(units))
    rest = (units - first) * _STEP
    second = F.floor(rest)
    third = F.floor((rest - second) * _STEP)
    total = F.try_sum(first)  # null when it overflows
    exact = total / _FIRST + F.sum(second) / (_FIRST * _STEP) + F.sum(third) / (_FIRST * _STEP**2)
    has_terms = F.sum(second).isNotNull()
    return F.when(total < _LARGEST, exact).when(has_terms, F.lit(float("inf")))
