"""How long a partition of facts is, and which days lie in one."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from interest_graph.events import periods

START = date(2024, 1, 30)


def days(n, step=1):
    return [START + timedelta(days=step * k) for k in range(n)]


@pytest.mark.parametrize(
    ("grain", "names"),
    [
        ("day", ["1969-12-31", "1970-01-01", "2024-01-30"]),
        ("month", ["1969-12", "1970-01", "2024-01"]),
        ("year", ["1969", "1970", "2024"]),
    ],
)
def test_days_are_named_by_their_period(grain, names):
    numbers = np.array([-1, 0, (START - date(1970, 1, 1)).days], dtype=np.int32)

    assert periods.period_of_days(numbers, grain).tolist() == names
    assert periods.grain_of(names) == grain


@pytest.mark.parametrize(
    ("n_rows", "held", "grain"),
    [
        (10_000_000, days(30), "day"),
        (100_000, days(212), "month"),  # MovieLens 100k
        (20_000_000, days(7_000), "month"),
        (2_000, days(1), "month"),  # a first daily batch
        (50_000, days(250, step=30), "year"),
        (0, [], "month"),
    ],
)
def test_a_period_is_as_short_as_its_rows_are_worth(n_rows, held, grain):
    assert periods.grain_for(n_rows, held) == grain


def test_a_period_is_rewritten_with_all_of_its_known_days():
    known = days(40)

    assert periods.whole_periods([date(2024, 2, 10)], "day", known) == {date(2024, 2, 10)}
    found = periods.whole_periods([date(2024, 2, 10)], "month", known)

    assert found == {day for day in known if day.month == 2}
    assert periods.periods_of(found, "month") == ["2024-02"]
    assert periods.as_numbers(found)[0] == (date(2024, 2, 1) - date(1970, 1, 1)).days
    assert periods.as_date(periods.as_numbers(found)[0]) == date(2024, 2, 1)
