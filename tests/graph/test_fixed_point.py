"""Sums in fixed point: exact, of any order, and never wrapped round."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from pyspark.sql import functions as F

from interest_graph.graph.fixed_point import MOST_SUMMED, exact_sum

INF, NAN = float("inf"), float("nan")


@pytest.fixture
def sums(spark):
    """sums(*groups of terms): the sum of each group, by two partitions."""

    def add(*groups):
        rows = [(n, term) for n, terms in enumerate(groups) for term in terms]
        frame = spark.createDataFrame(rows, "n INT, term DOUBLE").repartition(2)
        found = frame.groupBy("n").agg(exact_sum(F.col("term")).alias("total")).collect()
        totals = {row.n: row.total for row in found}
        return [totals[n] for n in range(len(groups))]

    return add


def test_sums_are_right_from_the_smallest_unit_to_the_largest_total(sums):
    below = math.nextafter(MOST_SUMMED, 0)
    expected = {
        (0.0,): 0.0,
        (2.0**-72,): 2.0**-72,
        (2.0**-73,) * 2: 0.0,
        (2.0**-72,) * 3: 3 * 2.0**-72,
        (0.1,) * 10: float(10 * Fraction(0.1)),
        (5e10, 5e10): 1e11,
        (1e15, 1.0): 1e15 + 1,
        (2.0**35, 2.0**35, 0.25): 2.0**36 + 0.25,
        (below,): below,
        (None, 1.0): 1.0,
        (None,): None,
    }

    assert sums(*expected) == list(expected.values())


@pytest.mark.parametrize(
    "terms", [(MOST_SUMMED,), (2.0**54, 2.0**54), (INF,), (NAN, 1.0), (1e308,)]
)
def test_totals_out_of_range_are_infinite(sums, terms):
    assert sums(terms, (*terms, 0.0), (*terms, *terms, *terms, 1.0), (1.0,)) == [INF, INF, INF, 1.0]


def test_no_terms_have_no_sum(spark):
    nothing = spark.createDataFrame([], "term DOUBLE")

    assert nothing.agg(exact_sum(F.col("term"))).first()[0] is None


def test_a_million_fractions_do_not_wrap_round(spark):
    thirds = spark.range(2**20 + 7, numPartitions=2).select(F.lit(1 - 2.0**-53).alias("term"))

    total = thirds.agg(exact_sum(F.col("term"))).first()[0]

    exact = float((2**20 + 7) * Fraction(1 - 2.0**-53))
    assert total == pytest.approx(exact, rel=3e-16)


def test_random_sums_agree_with_exact_ones(sums):
    random = np.random.default_rng(3)
    drawn = random.random((50, 20)) * 10.0 ** random.integers(-9, 14, (50, 20))
    groups = drawn.tolist()

    exact = [float(sum(Fraction(term) for term in group)) for group in groups]
    assert sums(*groups) == pytest.approx(exact, rel=3e-16)
