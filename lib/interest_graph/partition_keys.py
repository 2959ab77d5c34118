"""Keys that Spark's hash partitioning sends to a chosen partition."""

from __future__ import annotations

from itertools import count

from pyspark.sql import Column
from pyspark.sql import functions as F

_MASK = 0xFFFFFFFF


def keys_of_partitions(n: int) -> list[int]:
    """For each of `n` shuffle partitions, the smallest integer >= 0 that Spark's hash sends there.

    Repartitioning by the numbers 0 to n - 1 themselves would send several to one partition and
    leave others empty.
    """
    keys: dict[int, int] = {}
    for key in count():
        keys.setdefault(spark_hash(key) % n, key)
        if len(keys) == n:
            break
    return [keys[partition] for partition in range(n)]


def key_of_partition(partition: str, n: int) -> Column:
    """Column: the key that `repartition(n, key)` sends to the partition with this number.

    partition: name of a column of partition numbers, from 0 to n - 1.
    """
    keys = F.array([F.lit(key) for key in keys_of_partitions(n)])
    return keys[F.col(partition)]


def spark_hash(value: int) -> int:
    """The value of Spark's `hash` for an INT: 32-bit Murmur3 with seed 42, signed."""
    mixed = _rotate(value * 0xCC9E2D51 & _MASK, 15) * 0x1B873593 & _MASK
    state = (_rotate(42 ^ mixed, 13) * 5 + 0xE6546B64) & _MASK
    state ^= 4
    state = (state ^ state >> 16) * 0x85EBCA6B & _MASK
    state = (state ^ state >> 13) * 0xC2B2AE35 & _MASK
    state ^= state >> 16
    return state - (1 << 32) if state >> 31 else state


def _rotate(word: int, bits: int) -> int:
    return (word << bits | word >> (32 - bits)) & _MASK
