"""Items listed twice."""

from __future__ import annotations

import pyarrow as pa

from interest_graph.config.clean import SameItemsConfig
from interest_graph.events.facts import with_canonical_items
from interest_graph.events.near_duplicates import aliases_of, near_duplicate_pairs

TITLES = {
    "a": "The Return of the King, Part One",
    "b": "the return of the king - part one",
    "c": "The Return of the Kings: Part One",
    "d": "The Return of the Queen, Part Two",
    "e": "Ωmega",
    "f": "Ωmega!",
    "g": "???",
    "h": "!!!",
    "i": None,
}


def shingles(text, size):
    return {text[n : n + size] for n in range(max(len(text) - size + 1, 1))}


def test_pairs_are_those_whose_shingles_agree(spark):
    items = spark.createDataFrame(list(TITLES.items()), "item_id STRING, title STRING")

    pairs = near_duplicate_pairs(items, SameItemsConfig(jaccard=0.75)).collect()

    assert {(pair.src, pair.dst) for pair in pairs} == {
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
        ("e", "f"),
    }
    king, kings = (shingles(f"the return of the {word} part one", 4) for word in ("king", "kings"))
    assert len(king & kings) / len(king | kings) >= 0.75


def test_titles_that_too_many_share_are_left_out(spark):
    items = spark.createDataFrame(
        [(str(n), "untitled") for n in range(5)], "item_id STRING, title STRING"
    )

    assert near_duplicate_pairs(items, SameItemsConfig(largest_band=4)).isEmpty()
    assert near_duplicate_pairs(items, SameItemsConfig(largest_band=5)).count() == 10


def test_records_name_the_smallest_id_of_a_component(spark):
    components = spark.createDataFrame(
        [("b", 0), ("a", 0), ("c", 0), ("y", 1), ("x", 1)], "id STRING, component BIGINT"
    )
    aliases = pa.Table.from_pandas(aliases_of(components).toPandas(), preserve_index=False)
    records = pa.table({"item_id": ["c", "a", "y", "z"]})

    named = with_canonical_items(records, aliases).to_pylist()

    assert sorted(row["item_id"] for row in named) == ["a", "a", "x", "z"]
