"""The identity of a table's data changes with its rows, and with nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from interest_graph.config import WarehouseConfig
from interest_graph.contract import Table
from interest_graph.delta_log import ABSENT
from interest_graph.store import Store

PRICES = Table(
    name="silver.prices",
    columns="shop STRING NOT NULL, item STRING NOT NULL, price DOUBLE",
    key=("shop", "item"),
    writer="shopping",
    comment="What things cost",
    partition_by=("shop",),
)
ROWS = [("a", "x", 1.0), ("a", "z", 3.0), ("b", "y", 2.0)]


@pytest.fixture(params=["folder", "catalog"])
def store(request, spark, warehouse):
    """A table of three rows in two commits, by path or by name."""
    config = WarehouseConfig(table_root=str(warehouse))
    if request.param == "catalog":
        spark.sql(f"CREATE SCHEMA silver LOCATION '{warehouse}/silver'")
        config = WarehouseConfig(catalog="spark_catalog")
    made = Store(spark, config, run_id="run-1")
    assert made.state(PRICES) == ABSENT
    fill(spark, made)
    yield made
    if request.param == "catalog":
        spark.sql("DROP SCHEMA silver CASCADE")


def fill(spark, store):
    store.append(PRICES, prices(spark, ROWS[0]))
    store.append(PRICES, prices(spark, *ROWS[1:]))


def prices(spark, *rows):
    return spark.createDataFrame(rows, "shop STRING, item STRING, price DOUBLE")


def rows_of(store, version=None):
    return sorted(tuple(row) for row in store.read(PRICES, version).collect())


def name(store):
    """The table's name in SQL."""
    location = store.location(PRICES)
    return f"delta.`{location}`" if location.startswith("/") else location


def test_upkeep_by_anybody_and_a_merge_of_equal_rows_leave_it(spark, store):
    before, others = store.state(PRICES), spark.newSession()

    store.merge(PRICES, prices(spark, *ROWS))
    store.compact(PRICES)
    others.sql(f"ALTER TABLE {name(store)} SET TBLPROPERTIES ('mine' = 'yes')")
    others.sql(f"ALTER TABLE {name(store)} ADD CONSTRAINT positive CHECK (price > 0)")
    others.sql(f"OPTIMIZE {name(store)} ZORDER BY (price)")
    others.sql(f"VACUUM {name(store)} RETAIN 1000 HOURS")
    store.vacuum(PRICES, hours=1000)
    store.delete(PRICES, "item = 'nothing of that name'")
    assert rows_of(store) == ROWS
    store.expire(PRICES, "shop = 'a'")

    after = store.state(PRICES)
    assert (after.identity, rows_of(store)) == (before.identity, ROWS[2:])
    assert after.version > before.version + 6
    assert store.changes_since(PRICES, before.version) == 0
    assert rows_of(store, before.version) == ROWS


def test_every_change_of_rows_changes_it_and_so_does_a_table_made_anew(spark, store):
    first = store.state(PRICES)
    identities = {first.identity}
    for change in (
        lambda: store.append(PRICES, prices(spark, ("c", "x", 1.0))),
        lambda: store.merge(PRICES, prices(spark, ("c", "x", 2.0))),
        lambda: store.replace(PRICES, prices(spark, ("c", "y", 2.0)), where="shop = 'c'"),
        lambda: store.replace(PRICES, prices(spark, *ROWS)),
        lambda: store.delete(PRICES, "shop = 'a'"),
    ):
        change()
        identities.add(store.state(PRICES).identity)
    assert (len(identities), store.changes_since(PRICES, first.version)) == (6, 5)

    drop(spark, store)
    assert (store.state(PRICES), store.changes_since(PRICES, first.version)) == (ABSENT, None)
    fill(spark, store)

    assert store.state(PRICES).version == first.version
    assert store.state(PRICES).identity not in identities
    layout = spark.sql(f"DESCRIBE DETAIL {name(store)}").first()
    assert (layout.partitionColumns, layout.description) == (["shop"], "What things cost")


def drop(spark, store):
    location = store.location(PRICES)
    if location.startswith("/"):
        shutil.rmtree(location)
    else:
        spark.sql(f"DROP TABLE {location}")


@pytest.mark.parametrize("store", ["folder"], indirect=True)
def test_after_the_log_was_cleaned_up_a_note_of_ours_or_else_the_files_name_it(
    spark, store, monkeypatch
):
    before = store.state(PRICES)
    spark.sql(f"ALTER TABLE {name(store)} SET TBLPROPERTIES ('delta.checkpointInterval' = 2)")
    with monkeypatch.context() as patched:  # where only Spark can remove files, it leaves a commit
        patched.setattr(store, "worker_files", lambda table: None)
        store.vacuum(PRICES, hours=1000)
    forget(store, before.version)
    assert store.state(PRICES).identity == before.identity

    for value in ("yes", "no"):
        spark.sql(f"ALTER TABLE {name(store)} SET TBLPROPERTIES ('mine' = '{value}')")
    forget(store, store.version(PRICES) - 2)
    by_files = store.state(PRICES)
    assert by_files.identity.startswith("files-")
    assert store.changes_since(PRICES, before.version) is None

    store.compact(PRICES)
    after = store.state(PRICES)
    assert (after.version > by_files.version, after.identity) == (True, by_files.identity)
    assert rows_of(store) == ROWS


def forget(store, version):
    """Remove the log up to a version, as Delta does behind a checkpoint."""
    folder = Path(store.location(PRICES)) / "_delta_log"
    assert any(int(path.name[:20]) > version for path in folder.glob("*.checkpoint.parquet"))
    for path in folder.glob("*.json"):
        if int(path.stem) <= version:
            path.unlink()
