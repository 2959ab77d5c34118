from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "data" / "ml-100k"


@pytest.fixture(scope="module")
def p1():
    spec = importlib.util.spec_from_file_location("p1", HERE / "p1.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_items_train_part_is_rounded_half_to_even(p1):
    items = np.repeat(np.arange(1, 41), np.arange(1, 41))
    np.random.default_rng(0).shuffle(items)

    is_train = p1.mark_train(items)

    sizes = [int(is_train[items == item].sum()) for item in range(1, 41)]
    assert sizes == [round(0.75 * n) for n in range(1, 41)]


def test_ratings_of_another_data_set_are_refused(p1, tmp_path):
    rows = "\n".join(f"{user}\t{item}\t3\t881250949" for user in range(9) for item in range(9))
    (tmp_path / "u.data").write_text(rows)

    with pytest.raises(ValueError, match="not the MovieLens 100k ratings"):
        p1.split_p1(tmp_path)


@pytest.mark.skipif(not DATA.exists(), reason="the demo has not fetched MovieLens 100k")
def test_the_split_is_the_published_one(p1, tmp_path):
    assert p1.write_p1(DATA, tmp_path) == {"train": 75_066, "test": 24_934}
    assert (tmp_path / "test.csv").read_text().startswith("user_id,item_id,rating,timestamp\n")
