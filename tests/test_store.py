"""Tables on disk: contracts kept, merges exact, conflicts survived, commits signed."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from interest_graph.config import WarehouseConfig
from interest_graph.contract import Table
from interest_graph.errors import ConfigError, ContractError, DataError, MissingTableError
from interest_graph.store import Store

PRICES = Table(
    name="silver.prices",
    columns="""
        shop  STRING NOT NULL COMMENT 'where',
        item  STRING NOT NULL COMMENT 'what',
        price DOUBLE COMMENT 'how much',
        tags  MAP<STRING, STRING> COMMENT 'anything else'""",
    key=("shop", "item"),
    writer="shopping",
    comment="What things cost",
    partition_by=("shop",),
    checks={"positive_price": "price > 0"},
)


@pytest.fixture
def store(spark, warehouse):
    return Store(spark, WarehouseConfig(table_root=str(warehouse)), run_id="run-1")


def prices(spark, *rows):
    return spark.createDataFrame(
        rows, "shop string, item string, price double, tags map<string,string>"
    )


def as_dict(frame):
    return {(row.shop, row.item): row.price for row in frame.collect()}


def test_read_names_the_job_that_writes_a_missing_table(store):
    with pytest.raises(
        MissingTableError, match=r"silver\.prices: does not exist yet; the shopping job"
    ):
        store.read(PRICES)


def test_write_lists_every_difference_from_the_contract(spark, store):
    frame = prices(spark, ("a", "x", 1.0, {})).selectExpr("shop", "cast(price as int) price", "1 n")

    with pytest.raises(ContractError) as error:
        store.append(PRICES, frame)

    assert error.value.problems == [
        "lacks item",
        "lacks tags",
        "has unknown column n",
        "price is int, not double",
    ]
    assert not store.exists(PRICES)


def test_created_table_carries_layout_comments_checks_and_reader_version_one(spark, store):
    store.append(PRICES, prices(spark, ("a", "x", 1.0, {})))

    detail = spark.sql(f"DESCRIBE DETAIL delta.`{store.location(PRICES)}`").first()
    comments = {field.name: field.metadata.get("comment") for field in store.read(PRICES).schema}

    assert (detail.partitionColumns, detail.minReaderVersion) == (["shop"], 1)
    assert detail.properties["delta.constraints.positive_price"] == "price > 0"
    assert detail.description == "What things cost"
    assert comments["price"] == "how much"


def test_rewrite_replaces_what_was_read_or_nothing_and_keeps_columns_of_others(spark, store):
    store.append(PRICES, prices(spark, ("a", "x", 1.0, {}), ("b", "x", 2.0, {})))

    store.rewrite(PRICES, lambda live: None)
    assert store.version(PRICES) == 1
    assert store.size(PRICES) > 0
    store.rewrite(PRICES, lambda live: [])
    assert (store.version(PRICES), as_dict(store.read(PRICES))) == (2, {})

    spark.sql(f"ALTER TABLE delta.`{store.location(PRICES)}` ADD COLUMN more STRING")
    with pytest.raises(ContractError, match="has unknown column more"):
        store.rewrite(PRICES, lambda live: [])


def test_check_and_not_null_violations_are_one_clear_line(spark, store):
    with pytest.raises(DataError, match=r"positive_price.*price : -1.0"):
        store.append(PRICES, prices(spark, ("a", "x", -1.0, {})))
    with pytest.raises(DataError, match="NOT NULL constraint violated for column: item"):
        store.append(PRICES, prices(spark, ("a", None, 1.0, {})))


def test_replace_where_touches_only_the_selected_rows(spark, store):
    store.append(PRICES, prices(spark, ("a", "x", 1.0, {}), ("b", "x", 2.0, {})))

    store.replace(PRICES, prices(spark, ("a", "y", 3.0, {})), where="shop = 'a'")

    assert as_dict(store.read(PRICES)) == {("a", "y"): 3.0, ("b", "x"): 2.0}


def test_merge_updates_changed_rows_inserts_new_ones_and_deletes_on_demand(spark, store):
    old = [("a", "same", 1.0, {"k": "1"}), ("a", "changed", 1.0, {}), ("a", "gone", 1.0, {})]
    new = [("a", "same", 1.0, {"k": "1"}), ("a", "changed", 2.0, {}), ("b", "new", 3.0, {})]
    store.append(PRICES, prices(spark, *old))

    store.merge(PRICES, prices(spark, *new), delete_others=True)

    last = store._delta(PRICES).history(1).first().operationMetrics
    assert as_dict(store.read(PRICES)) == {
        ("a", "same"): 1.0,
        ("a", "changed"): 2.0,
        ("b", "new"): 3.0,
    }
    assert last["numTargetRowsUpdated"] == "1"


def test_merge_refuses_two_rows_with_one_key(spark, store):
    store.append(PRICES, prices(spark, ("a", "x", 1.0, {})))

    with pytest.raises(DataError, match=r"two rows share one key \(shop, item\)"):
        store.merge(PRICES, prices(spark, ("a", "x", 2.0, {}), ("a", "x", 3.0, {})))


def test_every_commit_names_its_run(spark, store):
    store.append(PRICES, prices(spark, ("a", "x", 1.0, {})))
    store.merge(PRICES, prices(spark, ("a", "x", 2.0, {})))
    store.delete(PRICES, "shop = 'a'")

    notes = [row.userMetadata for row in store._delta(PRICES).history().collect()]

    assert [json.loads(note) for note in notes] == [{"run_id": "run-1"}] * 4


def test_read_at_a_version_sees_that_version(spark, store):
    store.append(PRICES, prices(spark, ("a", "x", 1.0, {})))
    first = store.version(PRICES)
    store.append(PRICES, prices(spark, ("a", "y", 1.0, {})))

    assert store.read(PRICES, version=first).count() == 1
    assert store.version(PRICES) == first + 1


def test_unwritable_warehouse_is_named(spark, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    store = Store(spark, WarehouseConfig(table_root=str(tmp_path / "file" / "w")), "run-1")

    with pytest.raises(ConfigError, match=r"warehouse.table_root: .*cannot be written"):
        store.append(PRICES, prices(spark, ("a", "x", 1.0, {})))


def test_merges_that_conflict_are_tried_again_until_all_are_in(spark, store):
    store.append(PRICES, prices(spark, *[("a", f"i{n}", 1.0, {}) for n in range(4)]))
    frames = [prices(spark, ("a", f"i{n}", 2.0, {})) for n in range(4)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda frame: store.merge(PRICES, frame), frames))

    assert set(as_dict(store.read(PRICES)).values()) == {2.0}
