"""Accepted events, as the steps from events to facts take them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

MIDNIGHT = int(datetime(2024, 1, 2, tzinfo=UTC).timestamp()) * 1_000_000
SCHEMA = pa.schema(
    {
        "source": pa.dictionary(pa.int32(), pa.string()),
        "event_id": pa.string(),
        "user_id": pa.string(),
        "item_id": pa.string(),
        "action": pa.string(),
        "micros": pa.int64(),
        "value": pa.float64(),
        "is_crawler": pa.bool_(),
    }
)
PLAIN = {"source": "log", "user_id": "u", "item_id": "i", "action": "view", "is_crawler": False}


@pytest.fixture
def events() -> Callable[..., pa.Table]:
    """events((seconds after midnight, changes), ...): rows of one user's views of one item."""

    def make(*cases: tuple[Any, ...]) -> pa.Table:
        rows = [
            {**PLAIN, "micros": MIDNIGHT + round(seconds * 1_000_000), **dict(*changes)}
            for seconds, *changes in cases
        ]
        return pa.Table.from_pylist(rows, SCHEMA)

    return make
