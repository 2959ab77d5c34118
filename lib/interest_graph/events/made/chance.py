"""Chance without state: every choice is a hash of the seed, its name and the row's own numbers."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from pyspark.sql import Column
from pyspark.sql import functions as F

DAY_SECONDS = 86_400
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"


def epoch_text(first_day: date) -> Column:
    """`second`, counted from the first day on, as the text of an epoch time in seconds."""
    start = int(datetime.combine(first_day, time(), UTC).timestamp())
    return (F.col("second") + start).cast("bigint").cast("string")


def pick(seed: int, choice: str, n: int, *columns: str) -> Column:
    """A whole number from 0 to n - 1."""
    drawn = F.xxhash64(F.lit(seed), F.lit(choice), *columns)
    return F.pmod(drawn, F.lit(n).cast("bigint"))


def draw(seed: int, choice: str, *columns: str) -> Column:
    """A number from 0 to 1, 1 excluded."""
    return pick(seed, choice, 1 << 30, *columns) / float(1 << 30)
