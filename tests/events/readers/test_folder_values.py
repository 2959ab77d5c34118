"""Values of folders in the records of files of any format."""

from __future__ import annotations

import pyarrow as pa
import pytest

from interest_graph.config import SourceConfig
from interest_graph.events.readers.folder_values import (
    folder_of,
    optional_where_given,
    with_folder_values,
)
from interest_graph.events.records import schema_of

SOURCE = SourceConfig(
    name="log",
    format="json",
    path="in",
    columns={"user_id": "user", "item_id": "item", "event_time": "dt"},
    action="view",
)


def records(*rows: tuple[bool, str | None]) -> pa.Table:
    """Records that are readable or not, with their time."""
    fixed = {"position": 0, "length": 1, "payload": None, "user_id": None, "item_id": None}
    made = [{**fixed, "is_readable": is_readable, "event_time": text} for is_readable, text in rows]
    return pa.Table.from_pylist(made, schema_of(SOURCE.columns))


def test_a_folder_gives_what_readable_records_lack():
    received = records((True, None), (True, "2024-06-01"), (True, ""), (False, None))

    filled = with_folder_values(received, SOURCE, {"dt": "2024-05-01", "other": "x"})

    assert filled.schema == received.schema
    assert filled["event_time"].to_pylist() == ["2024-05-01", "2024-06-01", "", None]
    assert filled["user_id"].to_pylist() == [None] * 4


@pytest.mark.parametrize("folders", [{}, {"dt": None}, {"hour": "03"}])
def test_without_a_value_of_a_folder_records_stay_as_they_are(folders):
    received = records((True, None))

    assert with_folder_values(received, SOURCE, folders).equals(received)


@pytest.mark.parametrize(
    ("folders", "found"),
    [
        ({"dt": "1", "DT": "2"}, "dt"),
        ({"Dt": "1"}, "Dt"),
        ({"Dt": "1", "DT": "2"}, None),
        ({}, None),
    ],
)
def test_a_folder_is_found_by_its_name_or_by_it_in_another_case(folders, found):
    assert folder_of("dt", folders) == found


def test_files_may_lack_the_columns_that_folders_give():
    assert optional_where_given(SOURCE, {"dt": None}).optional == ["event_time"]
    assert optional_where_given(SOURCE, {"hour": "3"}) is SOURCE
