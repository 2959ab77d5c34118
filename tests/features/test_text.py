"""Which texts are encoded, and in what kind of worker."""

from __future__ import annotations

import hashlib

from interest_graph.features.text import VECTOR_COLUMNS, hash_texts, keep_current

ITEMS = "item_id STRING, title STRING, text STRING, categories ARRAY<STRING>"


def test_hash_texts_reads_the_text_or_else_title_and_categories(spark):
    rows = [("a", "Alien", " In space ", ["Horror"]), ("b", "Brazil", " ", ["Drama", "SF"])]
    rows += [("c", None, None, []), ("d", "Duel", None, [])]

    hashed = hash_texts(spark.createDataFrame(rows, ITEMS), encoder="e").collect()

    texts = {row.item_id: row.text for row in hashed}
    assert texts == {"a": "In space", "b": "Brazil. Drama, SF", "d": "Duel."}
    for row in hashed:
        assert (row.model, row.text_hash) == ("e", hashlib.sha256(row.text.encode()).hexdigest())


def test_keep_current_drops_changed_texts_and_items_that_are_gone(spark):
    items = spark.createDataFrame([("a", "A", "old", []), ("b", "B", "new", [])], ITEMS)
    hashed = hash_texts(items, encoder="e")
    old = hashlib.sha256(b"old").hexdigest()
    rows = [("a", "e", old, [1.0]), ("b", "e", old, [1.0]), ("gone", "e", old, [1.0])]
    rows += [("a", "other", "x", [2.0]), ("gone", "other", "x", [2.0])]

    current = keep_current(spark.createDataFrame(rows, VECTOR_COLUMNS), hashed, items)

    assert sorted((row.item_id, row.model) for row in current.collect()) == [
        ("a", "e"),
        ("a", "other"),
    ]
