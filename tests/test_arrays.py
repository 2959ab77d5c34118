"""Arrays reach workers unchanged, and a changed file is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interest_graph.arrays import (
    Shipped,
    load_arrays,
    pack_texts,
    save_arrays,
    ship,
    unpack_texts,
)
from interest_graph.errors import DataError


def test_arrays_survive_a_file(tmp_path: Path) -> None:
    arrays = {
        "vectors": np.arange(6, dtype=np.float32).reshape(2, 3),
        "indices": np.array([3, 1], dtype=np.int64),
        "empty": np.empty((0, 4), dtype=np.float64),
    }

    save_arrays(tmp_path / "a.safetensors", arrays)
    loaded = load_arrays(tmp_path / "a.safetensors")

    assert {name: array.shape for name, array in loaded.items()} == {
        "vectors": (2, 3),
        "indices": (2,),
        "empty": (0, 4),
    }
    assert all((loaded[name] == array).all() for name, array in arrays.items())
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_texts_survive_packing() -> None:
    texts = ["", "naïve", 'quote " and \n newline', "日本"]

    assert unpack_texts(pack_texts(texts)) == texts


def test_equal_content_is_shipped_once(spark: Any, tmp_path: Path) -> None:
    first = ship(spark, {"a": np.ones(3)}, str(tmp_path))
    second = ship(spark, {"a": np.ones(3)}, str(tmp_path))

    assert first == second
    assert len(list(tmp_path.iterdir())) == 1


def test_workers_load_what_was_shipped(spark: Any) -> None:
    shipped = ship(spark, {"values": np.array([2.0, 5.0])})

    def total(batches: Any) -> Any:
        for batch in batches:
            yield batch.assign(id=int(shipped.load()["values"].sum()))

    rows = spark.range(2, numPartitions=2).mapInPandas(total, "id long").collect()

    assert [row.id for row in rows] == [7, 7]


def test_shipped_files_lie_under_sparks_local_folder(spark: Any) -> None:
    shipped = ship(spark, {"values": np.ones(2)})

    assert Path(shipped.path).is_relative_to(spark.conf.get("spark.local.dir"))
    shipped.discard()
    assert not Path(shipped.path).exists()


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_arrays(path, {"a": np.ones(3)})

    with pytest.raises(DataError, match="digest"):
        Shipped(str(path), path.name, "0" * 64).load()
