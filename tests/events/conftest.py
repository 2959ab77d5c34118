"""Accepted records as the duplicate, bot and session stages take them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

COLUMNS = """label STRING, source STRING, event_id STRING, user_id STRING, item_id STRING,
    action STRING, event_ts TIMESTAMP, event_date DATE, value DOUBLE"""
MIDNIGHT = datetime(2024, 1, 2)


@pytest.fixture
def records(spark) -> Callable[..., Any]:
    """records((label, seconds after midnight, changes), ...): one user's views of one item."""

    def make(*cases: tuple[Any, ...]) -> Any:
        rows = [_record(*case) for case in cases]
        return spark.createDataFrame(rows, COLUMNS).repartition(3, "label").repartition("user_id")

    return make


def _record(label: str, seconds: float, changes: dict[str, Any] | None = None) -> tuple[Any, ...]:
    moment = MIDNIGHT + timedelta(seconds=seconds)
    plain = {"source": "log", "event_id": None, "user_id": "u", "item_id": "i", "action": "view"}
    row = {**plain, "value": None, **(changes or {})}
    texts = [row[name] for name in ("source", "event_id", "user_id", "item_id", "action")]
    return (label, *texts, moment, moment.date(), row["value"])
