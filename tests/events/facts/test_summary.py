"""Counts and digests of facts."""

from __future__ import annotations

import pyarrow as pa
import pytest

from interest_graph.config import CleanConfig
from interest_graph.events.facts import clean_part, digest_of, item_counts, user_counts


@pytest.fixture
def facts(events):
    acts = [("u", "i"), ("u", "j"), ("v", "i"), ("v", "i")]
    cases = [(n, {"user_id": user, "item_id": item}) for n, (user, item) in enumerate(acts)]
    return clean_part(events(*cases), CleanConfig(), None).facts


def test_facts_are_counted_by_item_and_by_user(facts):
    assert item_counts(facts).to_pydict() == {"item_id": ["i", "j"], "n": [3, 1]}
    assert user_counts(facts.slice(0, 3)).to_pydict() == {"user_id": ["u", "v"], "n": [2, 1]}
    assert item_counts(facts.slice(0, 0)).to_pydict() == {"item_id": [], "n": []}


def test_a_digest_is_of_the_rows_not_of_their_order_or_encoding(facts):
    plain = pa.table({name: facts[name].to_pylist() for name in facts.column_names})
    typed = plain.cast(pa.schema([(f.name, _decoded(f.type)) for f in facts.schema]))

    assert digest_of(typed.take([3, 0, 2, 1])) == digest_of(facts)


def test_a_digest_tells_changed_missing_and_repeated_rows(facts):
    place = facts.schema.get_field_index("dwell_seconds")
    other = facts.set_column(place, "dwell_seconds", pa.array([None, 1.0, 1.0, None]))
    tables = [facts, other, facts.slice(1), facts.slice(0, 0), pa.concat_tables([facts, facts])]

    assert len(set(map(digest_of, tables))) == len(tables)


def _decoded(kind):
    return kind.value_type if pa.types.is_dictionary(kind) else kind
