"""Items that are other items listed twice."""

from __future__ import annotations

import pyarrow as pa
import pytest

from interest_graph.events.facts import with_canonical_items

ALIASES = pa.table({"item_id": ["b", "c", "unknown"], "canonical_id": ["a", "a", "x"]})


@pytest.mark.parametrize("encode", [pa.ChunkedArray.dictionary_encode, lambda column: column])
def test_aliases_become_the_item_that_they_stand_for(events, encode):
    table = events(*[(n, {"item_id": item}) for n, item in enumerate("abcdb")])
    place = table.schema.get_field_index("item_id")

    renamed = with_canonical_items(
        table.set_column(place, "item_id", encode(table["item_id"])), ALIASES
    )

    assert renamed["item_id"].to_pylist() == ["a", "a", "a", "d", "a"]
    assert renamed.schema == table.schema
    assert renamed.drop_columns(["item_id"]) == table.drop_columns(["item_id"])


@pytest.mark.parametrize("aliases", [ALIASES.slice(0, 0), ALIASES])
def test_nothing_to_rename(events, aliases):
    for table in (events(), events((0,))):
        assert with_canonical_items(table, aliases).to_pylist() == table.to_pylist()
