"""Rows for graph tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

AS_OF = datetime(2024, 1, 31, tzinfo=UTC)

EVENT = """
    user_id STRING, item_id STRING, action STRING, event_ts TIMESTAMP, value DOUBLE,
    dwell_seconds DOUBLE"""


@pytest.fixture
def as_of() -> datetime:
    """The time of every graph in these tests."""
    return AS_OF


@pytest.fixture
def events(spark: Any) -> Callable[..., Any]:
    """Interactions from (user, item, action, days before AS_OF, value) tuples."""

    def make(*rows: tuple[str, str, str, float, float | None]) -> Any:
        from datetime import timedelta

        full = [
            (user, item, action, AS_OF - timedelta(days=age), value, None)
            for user, item, action, age, value in rows
        ]
        return spark.createDataFrame(full, EVENT)

    return make


@pytest.fixture
def edges(spark: Any) -> Callable[..., Any]:
    """Edges from (src, dst, weight) tuples."""
    return lambda *rows: spark.createDataFrame(list(rows), "src STRING, dst STRING, weight DOUBLE")
