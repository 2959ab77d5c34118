"""DuckDB's reading of JSON objects against the exact one."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interest_graph.events.readers import json_exact
from interest_graph.events.readers.json_columns import parse_objects
from interest_graph.events.readers.lines import line_bounds

COLUMNS = {"user_id": "u", "item_id": "o.i", "event_time": "t", "value": "o.p.q"}

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=5)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), texts, st.sampled_from(["{}", '{"i":1}'])
)
names = st.sampled_from(["u", "o", "i", "t", "p", "q", "o.i", "x"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4)
)
objects = st.lists(st.tuples(names, values), max_size=5)


def text_of(members):
    """JSON text of an object in which a name may be there twice."""
    return (
        "{" + ",".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in members) + "}"
    )


@given(st.lists(objects, max_size=30))
@settings(deadline=None, max_examples=40)
def test_duckdb_and_the_exact_parser_agree(many):
    lines = [text_of(members) for members in many]
    window = "\n".join(lines).encode()

    found = parse_objects(window, *line_bounds(window), COLUMNS).to_pylist()

    for line, record in zip(lines, found, strict=True):
        mapped, rest = json_exact.mapped_and_rest(json_exact.parse_object(line), COLUMNS)
        assert {key: record[key] for key in COLUMNS} == mapped
        assert record["is_readable"]
        assert rest is None or json.loads(record["payload"]) == json.loads(rest)
        assert rest is not None or record["payload"] is None


@pytest.mark.parametrize(
    ("number", "expected"),
    [("7", "7"), ("7.0", "7"), ("7e2", "700"), ("7.5", "7.5"), ("-0", "0"), ("1e101", "1e101")],
)
def test_ids_that_are_whole_numbers_are_integers(number, expected):
    assert json_exact.id_text(number) == expected


def test_no_piece_gives_no_row():
    none = np.zeros(0, np.int64)

    assert len(parse_objects(b"", none, none, COLUMNS)) == 0
