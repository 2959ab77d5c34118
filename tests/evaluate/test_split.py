from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from chispa import assert_df_equality
from pydantic import ValidationError

from interest_graph.config import EvaluateConfig, SplitConfig
from interest_graph.errors import DataError
from interest_graph.evaluate.split import (
    count_unknown,
    find_split_ts,
    make_split,
    split_within_items,
)

START = datetime(2024, 1, 1, tzinfo=UTC)
END = START + timedelta(days=30)
INTERACTIONS = "user_id STRING, item_id STRING, event_ts TIMESTAMP, source STRING"
PAIRS = "user_id STRING, item_id STRING"


def events(spark, *rows):
    """(user, item, seconds after the start, source)."""
    timed = [(user, item, START + timedelta(seconds=at), source) for user, item, at, source in rows]
    return spark.createDataFrame(timed, INTERACTIONS)


def pairs_of(frame):
    return {tuple(row) for row in frame.select("user_id", "item_id").toLocalIterator()}


def grid(spark, n_users, item_sizes):
    rows = [(f"u{u}", f"i{i}") for i, n in enumerate(item_sizes) for u in range(min(n, n_users))]
    return spark.createDataFrame(rows, PAIRS)


def test_split_within_items_rounds_half_to_even_for_each_item(spark):
    pairs = grid(spark, 30, item_sizes=list(range(1, 31)))

    train, test = split_within_items(pairs, 0.75, seed=42)

    sizes = Counter(item for _, item in pairs_of(train))
    assert sizes == {f"i{n - 1}": round(0.75 * n) for n in range(1, 31)}
    assert pairs_of(train) | pairs_of(test) == pairs_of(pairs)
    assert not pairs_of(train) & pairs_of(test)


def test_split_within_items_depends_on_the_seed_and_not_on_partitions(spark):
    pairs = grid(spark, 40, item_sizes=[40] * 10)

    first, _ = split_within_items(pairs.coalesce(1), 0.5, seed=1)
    again, _ = split_within_items(pairs.orderBy("user_id").repartition(7), 0.5, seed=1)
    other, _ = split_within_items(pairs, 0.5, seed=2)

    assert pairs_of(first) == pairs_of(again)
    assert pairs_of(first) != pairs_of(other)


def test_find_split_ts_never_divides_an_instant(spark):
    day = 86_400
    rows = [
        ("a", "x", 0, "s"),
        ("b", "x", day, "s"),
        *[("c", str(n), 2 * day, "s") for n in range(6)],
    ]

    split_ts = find_split_ts(events(spark, *rows), 0.75)

    assert split_ts == START + timedelta(days=2)  # the sixth of eight shares its second


def test_find_split_ts_is_the_sorted_rows_second(spark):
    seconds = sorted((n * 7919) % 500_000 for n in range(300))
    rows = [("u", "i", at, "s") for at in reversed(seconds)]

    split_ts = find_split_ts(events(spark, *rows).repartition(3), 0.8)

    assert split_ts == START + timedelta(seconds=seconds[240])


def test_time_split_keeps_the_future_out_of_train(spark):
    rows = [("a", "x", 1, "s"), ("a", "y", 2, "s"), ("b", "x", 3, "s"), ("a", "x", 4, "s")]
    rows += [("b", "z", 5, "s"), ("b", "z", 6, "s")]

    split = make_split(events(spark, *rows), SplitConfig(kind="time", train_fraction=0.5), END)

    assert split.as_of == START + timedelta(seconds=4)
    assert split.train.where("event_ts >= '2024-01-01 00:00:04'").isEmpty()
    # (a, x) is known to train; (b, z) happened twice but is one interaction
    assert_df_equality(split.test, spark.createDataFrame([("b", "z")], PAIRS), ignore_nullable=True)


def test_nothing_after_as_of_is_seen(spark):
    rows = [("a", "x", 1, "s"), ("b", "x", 2, "s"), ("late", "x", 99, "s")]
    as_of = START + timedelta(seconds=50)

    split = make_split(events(spark, *rows), SplitConfig(train_fraction=0.5), as_of)

    assert {user for user, _ in pairs_of(split.train) | pairs_of(split.test)} == {"a", "b"}


def test_random_split_moves_all_events_of_a_pair_together(spark):
    rows = [(f"u{n % 50}", "x", n, "s") for n in range(200)]

    split = make_split(events(spark, *rows), SplitConfig(train_fraction=0.5), END)

    assert split.train.count() == 4 * 25
    assert not pairs_of(split.train) & pairs_of(split.test)


def test_given_split_takes_sources_and_drops_known_pairs(spark):
    rows = [("a", "x", 1, "train"), ("a", "x", 2, "test"), ("a", "new", 3, "test")]
    rows += [("stranger", "x", 4, "test"), ("a", "w", 5, "elsewhere")]
    config = SplitConfig(kind="given", train_source="train", test_source="test")

    split = make_split(events(spark, *rows), config, END)

    assert pairs_of(split.train) == {("a", "x")}
    assert pairs_of(split.test) == {("a", "new"), ("stranger", "x")}
    unknown = {"hold_out": 2, "hold_out_unknown_items": 1, "hold_out_unknown_users": 1}
    assert count_unknown(split) == unknown


def test_time_split_of_nothing_is_an_error(spark):
    with pytest.raises(DataError, match="no interactions"):
        make_split(events(spark), SplitConfig(kind="time"), END)


def test_split_settings_name_what_is_wrong():
    with pytest.raises(ValidationError, match="train_source and test_source"):
        SplitConfig(kind="given", train_source="a")
    with pytest.raises(ValidationError, match="listed twice"):
        EvaluateConfig(splits=[SplitConfig(), SplitConfig()])
