"""Protocol P1: the 75/25 split of MovieLens 100k within each item that published figures use.

It equals Recommenders' python_stratified_split(ratio=0.75, filter_by="item", seed=42): one uniform
draw a row in file order from NumPy's legacy generator; each item's rows are sorted by it and the
first round_half_even(0.75 n) go to train. 75,066 train and 24,934 test pairs.

    python tests/benchmarks/p1.py DATA OUT     # DATA: the folder or file of the ratings

writes OUT/train.csv and OUT/test.csv (user_id, item_id, rating, timestamp).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TEST_KEYS_SHA256 = "72e390b982932dec791a739be221bb7daecc1f30dc65866df3dfa19271d377bd"
_NAMES = ("u.data", "u.data.gz", "ml-100k.inter")
_HEADER = "user_id,item_id,rating,timestamp"


def split_p1(data: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Train and test rows of MovieLens 100k: int64 [n, 4], user, item, rating, Unix time.

    data: u.data (plain or .gz) or RecBole's ml-100k.inter, or the folder that holds one of them.
    Raises ValueError unless the test pairs are exactly the published ones.
    """
    ratings = read_ratings(data)
    is_train = mark_train(ratings[:, 1])
    train, test = ratings[is_train], ratings[~is_train]
    digest = digest_pairs(test)
    if digest != TEST_KEYS_SHA256:
        raise ValueError(f"{data}: not the MovieLens 100k ratings in their order ({digest[:16]})")
    return train, test


def read_ratings(data: Path) -> NDArray[np.int64]:
    """The ratings in file order."""
    path = data
    if data.is_dir():
        found = [data / name for name in _NAMES if (data / name).exists()]
        if not found:
            raise FileNotFoundError(f"{data}: holds none of {', '.join(_NAMES)}")
        path = found[0]
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    rows = [line.split("\t") for line in text.splitlines() if line[0].isdigit()]  # no header
    return np.array([[int(float(value)) for value in row] for row in rows], dtype=np.int64)


def mark_train(items: NDArray[np.int64], seed: int = 42) -> NDArray[np.bool_]:
    """Whether each row belongs to train."""
    draws = np.random.RandomState(seed).random_sample(len(items))
    order = np.lexsort((draws, items))
    _, first, sizes = np.unique(items[order], return_index=True, return_counts=True)
    place = np.arange(len(items)) - np.repeat(first, sizes)
    is_train = np.empty(len(items), dtype=bool)
    is_train[order] = place < np.repeat(np.rint(0.75 * sizes), sizes)
    return is_train


def digest_pairs(rows: NDArray[np.int64]) -> str:
    """SHA-256 of the sorted int64 keys user * 10000 + item."""
    keys = np.sort(rows[:, 0] * 10_000 + rows[:, 1])
    return hashlib.sha256(keys.astype(np.int64).tobytes()).hexdigest()


def write_p1(data: Path, out: Path) -> dict[str, int]:
    """Write train.csv and test.csv into the folder `out`; returns their numbers of pairs."""
    out.mkdir(parents=True, exist_ok=True)
    counts = {}
    for name, rows in zip(("train", "test"), split_p1(data), strict=True):
        np.savetxt(out / f"{name}.csv", rows, "%d", ",", header=_HEADER, comments="")
        counts[name] = len(rows)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description="Write protocol P1's train and test parts.")
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    print(json.dumps(write_p1(arguments.data, arguments.out) | {"sha256": TEST_KEYS_SHA256}))


if __name__ == "__main__":
    main()
