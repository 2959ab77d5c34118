"""Gold tables are read by other Delta readers than Spark."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import duckdb_extension_delta
import pytest
from deltalake import DeltaTable

from interest_graph import tables

GOLD = [table for name, table in tables.ALL_TABLES.items() if name.startswith("gold.")]
UNFRIENDLY = {"deletionVectors", "columnMapping", "v2Checkpoint", "timestampNtz", "typeWidening"}
NOON = datetime(2024, 1, 31, 12, tzinfo=UTC)
SAMPLES = {"string": "x", "int": 1, "bigint": 1, "double": 0.5, "boolean": True, "timestamp": NOON}


def sample(table, key):
    """A row of the table whose first key column is `key`."""
    values = [SAMPLES[column.dataType.simpleString()] for column in table.schema]
    return (key, *values[1:])


@pytest.fixture(scope="module")
def gold(spark, tmp_path_factory):
    """Every gold table with rows inserted, updated and deleted by our store: name -> folder."""
    from interest_graph.config import WarehouseConfig
    from interest_graph.store import Store

    root = tmp_path_factory.mktemp("gold")
    store = Store(spark, WarehouseConfig(table_root=str(root)), "run")
    for table in GOLD:
        for keys in (["a", "b", "c"], ["b", "c", "d"]):
            rows = spark.createDataFrame([sample(table, key) for key in keys], table.schema)
            store.merge(table, rows, delete_others=True)
    return {table.name: store.location(table) for table in GOLD}


@pytest.fixture(scope="module")
def duck():
    """DuckDB with its Delta extension, loaded from the installed file: no network."""
    extension = next(Path(duckdb_extension_delta.__file__).parent.rglob("*.duckdb_extension"))
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{extension}'")
    return connection


@pytest.mark.parametrize("name", [table.name for table in GOLD])
def test_delta_rs_reads_the_rows(gold, name):
    table = DeltaTable(gold[name])

    rows = table.to_pyarrow_table().to_pylist()

    first = tables.ALL_TABLES[name].key[0]
    assert sorted(row[first] for row in rows) == ["b", "c", "d"]
    assert rows[0]["as_of"] == NOON


@pytest.mark.parametrize("name", [table.name for table in GOLD])
def test_duckdb_reads_the_rows(gold, duck, name):
    first = tables.ALL_TABLES[name].key[0]
    query = f"SELECT {first}, epoch(as_of) FROM delta_scan('file://{gold[name]}') ORDER BY 1"

    assert duck.execute(query).fetchall() == [(key, NOON.timestamp()) for key in "bcd"]


@pytest.mark.parametrize("name", [table.name for table in GOLD])
def test_the_protocol_asks_nothing_unusual_of_readers(gold, name):
    protocol = DeltaTable(gold[name]).protocol()

    assert protocol.min_reader_version == 1
    assert not protocol.reader_features
    assert not UNFRIENDLY & set(protocol.writer_features or [])
