"""The whole kernel: what it takes, what it gives, and that the order of rows means nothing."""

from __future__ import annotations

import random
import re
from itertools import pairwise
from operator import itemgetter

import numpy as np
import pyarrow as pa
import pytest

from interest_graph.config import CleanConfig
from interest_graph.errors import DataError
from interest_graph.events.facts import clean_part
from interest_graph.events.facts import events as arrays
from interest_graph.events.facts.cleaning import BOTS
from interest_graph.events.facts.fact_table import FACTS
from interest_graph.tables import silver

TODAY = 19_724  # 2024-01-02
CONFIG = CleanConfig(
    retry_seconds=10,
    bots={"events_per_minute": 6, "steady_gap_events": None},
    session_ends_at_midnight=False,
)
ORDER = ("event_date", "user_id", "event_ts", "source", "item_id", "action")
ARROW = {
    "STRING": pa.string(),
    "DOUBLE": pa.float64(),
    "BIGINT": pa.int64(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
}


@pytest.fixture
def messy(events):
    """800 events of 6 users in 3 days with repeats of all kinds, bursts and crawlers."""
    draw = random.Random(7)
    cases = []
    for _ in range(800):
        changes = {
            "user_id": f"u{draw.randrange(6)}",
            "item_id": f"i{draw.randrange(3)}",
            "event_id": draw.choice([None, f"e{draw.randrange(60)}"]),
            "source": draw.choice(["log", "app"]),
            "value": draw.choice([None, 0.0, -0.0, 1.0]),
            "is_crawler": draw.random() < 0.02,
        }
        midnight = draw.choice([-86_400, 0, 86_400])
        second = draw.choice([draw.randrange(-40, 40), draw.randrange(50_000)])
        cases.append((midnight + second, changes))
    return events(*cases)


def as_lists(cleaned):
    return (cleaned.facts.to_pylist(), cleaned.counts, cleaned.bots.to_pylist())


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_rows_and_their_batches_mean_nothing(messy, seed):
    draw = np.random.default_rng(seed)
    shuffled = messy.take(pa.array(draw.permutation(len(messy))))
    edges = [0, *sorted(draw.integers(0, len(messy), 5).tolist()), len(messy)]
    pieces = [shuffled.slice(a, b - a) for a, b in pairwise(edges)]

    again = clean_part(pa.concat_tables(pieces), CONFIG, None)

    assert as_lists(again) == as_lists(clean_part(messy, CONFIG, None))
    assert all(n > 0 for rule, n in again.counts.items() if rule in ("retry", "crawler_agent"))


def test_users_cleaned_apart_are_as_users_cleaned_together(messy):
    apart = [
        clean_part(messy.filter(pa.compute.equal(messy["user_id"], f"u{n}")), CONFIG, None).facts
        for n in range(6)
    ]

    together = clean_part(messy, CONFIG, None).facts

    rows = [row for facts in apart for row in facts.to_pylist()]
    assert sorted(rows, key=itemgetter(*ORDER)) == together.to_pylist()


@pytest.mark.parametrize("day", [TODAY - 1, TODAY, TODAY + 1])
def test_days_read_as_context_are_neither_written_nor_counted(messy, day):
    every, one = (clean_part(messy, CONFIG, days) for days in (None, np.array([day], np.int32)))

    date = np.datetime64(day, "D").item()
    assert one.facts.to_pylist() == [r for r in every.facts.to_pylist() if r["event_date"] == date]
    assert one.bots.to_pylist() == [r for r in every.bots.to_pylist() if r["event_date"] == date]
    assert one.counts["accepted"] == sum(n for name, n in one.counts.items() if name != "accepted")
    assert list(one.counts) == list(every.counts)


def test_context_decides_what_is_a_retry_and_names_sessions(events):
    table = events((-4, {"event_id": "a"}), (4, {"event_id": "b"}), (400, {"event_id": "c"}))
    today = np.array([TODAY], np.int32)

    cleaned = clean_part(table, CONFIG, today)

    whole = clean_part(table, CONFIG, None)
    assert cleaned.counts == {**whole.counts, "accepted": 2, "kept": 1}
    assert cleaned.facts["session_id"].to_pylist() == whole.facts["session_id"].to_pylist()[1:]


@pytest.mark.parametrize("days", [None, np.array([TODAY], np.int32), np.empty(0, np.int32)])
@pytest.mark.parametrize("is_chunked", [True, False])
def test_no_events_give_no_facts(events, days, is_chunked):
    empty = events() if is_chunked else events((0,)).slice(0, 0).combine_chunks()

    cleaned = clean_part(empty, CONFIG, days)

    assert (cleaned.facts.schema, cleaned.bots.schema) == (FACTS, BOTS)
    assert (len(cleaned.facts), len(cleaned.bots), set(cleaned.counts.values())) == (0, 0, {0})


def test_all_events_may_be_those_of_crawlers_or_of_other_days(events):
    crawler = clean_part(events((0, {"is_crawler": True})), CONFIG, None)
    elsewhen = clean_part(events((0,)), CONFIG, np.array([TODAY + 1], np.int32))

    assert (len(crawler.facts), crawler.counts["crawler_agent"]) == (0, 1)
    assert (len(elsewhen.facts), set(elsewhen.counts.values())) == (0, {0})


def test_counts_are_of_what_is_looked_for(events):
    table = events((0,))

    bare = clean_part(table.drop_columns(["is_crawler", "event_id"]), CleanConfig(), None)
    full = clean_part(table, CONFIG, None)

    assert list(bare.counts) == ["accepted", "duplicate_event", "retry", "kept"]
    rules = ["events_per_minute", "events_per_day", "items_per_day", "active_hours", "steady_gaps"]
    repeats = ["duplicate_id", "duplicate_event", "retry"]
    assert list(full.counts) == ["accepted", "crawler_agent", *repeats, *rules, "kept"]


def test_encodings_of_texts_mean_nothing(messy):
    padding = {"user_id": "zz", "item_id": "zz", "action": "zz", "event_id": "zz"}
    table = messy
    for name, unused in padding.items():
        values = pa.concat_arrays([pa.array([unused, "view"]), table[name].combine_chunks()])
        coded = values.dictionary_encode().slice(2)  # with entries that no row uses
        halves = [coded.slice(0, 300), pa.array(coded.slice(300).to_pylist()).dictionary_encode()]
        table = table.set_column(table.schema.get_field_index(name), name, pa.chunked_array(halves))

    cleaned = clean_part(table, CONFIG, None)

    assert as_lists(cleaned) == as_lists(clean_part(messy, CONFIG, None))
    assert "zz" not in cleaned.facts["user_id"].combine_chunks().dictionary.to_pylist()


def test_ids_beyond_the_size_of_a_string_array_are_taken_in_pieces(messy, monkeypatch):
    whole = clean_part(messy, CONFIG, None)
    monkeypatch.setattr(arrays, "_LARGE", 1)
    monkeypatch.setattr(arrays, "_PIECE", 7)

    pieces = clean_part(messy, CONFIG, None)

    assert as_lists(pieces) == as_lists(whole)
    assert pieces.facts["event_id"].num_chunks > 10


def test_zero_and_minus_zero_are_one_value(events):
    rows = [(0, {"event_id": "e", "value": value}) for value in (0.0, -0.0)]

    values = [
        clean_part(events(*cases), CONFIG, None).facts["value"][0].as_py()
        for cases in (rows, rows[::-1])
    ]

    assert list(map(str, values)) == ["0.0", "0.0"]


@pytest.mark.parametrize("column", ["source", "user_id", "item_id", "action", "micros"])
def test_a_null_where_there_must_be_none_is_named(events, column):
    with pytest.raises(DataError, match=rf"without {column} \(1 rows\)"):
        clean_part(events((0,), (1, {column: None})), CONFIG, None)


@pytest.mark.parametrize(
    ("schema", "table"), [(FACTS, silver.INTERACTIONS), (BOTS, silver.BOTS)], ids=["facts", "bots"]
)
def test_columns_are_those_of_the_table(schema, table):
    found = re.findall(r"^\s*(\w+)\s+(\w+)( NOT NULL)?", table.columns, re.MULTILINE)
    declared = [column for column in found if column[0] not in table.partition_by]

    plain = [f.type.value_type if pa.types.is_dictionary(f.type) else f.type for f in schema]

    assert [(name, ARROW[kind], not required) for name, kind, required in declared] == list(
        zip(schema.names, plain, [f.nullable for f in schema], strict=True)
    )
