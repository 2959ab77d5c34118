"""Files are opened beside one another; no Spark."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from interest_graph.config import SourceConfig
from interest_graph.errors import DataError
from interest_graph.events import source_schema
from interest_graph.events.source_schema import source_schemas
from interest_graph.events.sources import InputFile

SOURCE = SourceConfig(
    name="s",
    path="/in",
    columns={"user_id": "u", "item_id": "i", "event_time": "t"},
    action="view",
)
FILES = [
    InputFile("s", f"file:/in/{n:02d}.csv", 9, datetime(2024, 1, 1, tzinfo=UTC)) for n in range(40)
]


def fake_lines(monkeypatch, header):
    """Files whose first line is header(number); counts how many are open at once."""
    lock, open_now, most = threading.Lock(), 0, 0
    # Nobody goes on before four have come: one after the other, the first waits in vain.
    four = threading.Barrier(4, timeout=20)

    def first_lines(spark, file, encoding):
        nonlocal open_now, most
        with lock:
            open_now += 1
            most = max(most, open_now)
        four.wait()
        with lock:
            open_now -= 1
        return [header(int(file.name[-6:-4])), "1,2,3"]

    monkeypatch.setattr(source_schema, "first_lines", first_lines)
    return lambda: most


def test_files_are_opened_together_but_not_without_bound(monkeypatch):
    most_open = fake_lines(monkeypatch, lambda n: "u,i,t" if n % 3 else "t,u,i")

    schemas = source_schemas(None, SOURCE, FILES)

    assert 4 <= most_open() <= 16
    assert [schema.columns for schema in schemas] == [("t", "u", "i"), ("u", "i", "t")]
    assert list(schemas[0].files) == FILES[::3]
    assert sorted(schemas[0].files + schemas[1].files) == FILES


def test_the_first_of_several_faulty_files_is_named(monkeypatch):
    fake_lines(monkeypatch, lambda n: "u,i" if n in (7, 8, 30) else "u,i,t")

    with pytest.raises(DataError, match=r"/in/07\.csv has no column t; present: u, i"):
        source_schemas(None, SOURCE, FILES)


def test_the_first_of_several_unreadable_files_is_named(monkeypatch):
    late = threading.Event()

    def first_lines(spark, file, encoding):
        if file is FILES[20]:
            late.set()
            raise DataError("20 cannot be read")
        if file is FILES[5]:
            late.wait(timeout=20)  # the later one has failed by now
            raise DataError("05 cannot be read")
        return ["u,i,t"]

    monkeypatch.setattr(source_schema, "first_lines", first_lines)

    with pytest.raises(DataError, match="05 cannot"):
        source_schemas(None, SOURCE, FILES)
