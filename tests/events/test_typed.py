"""Received text to typed columns."""

from __future__ import annotations

from datetime import UTC, datetime

from pyspark.sql import functions as F

from interest_graph.config import SourceConfig, TimeFormat
from interest_graph.events.typed import parse_time, type_events

COLUMNS = {"user_id": "u", "item_id": "i", "event_time": "t"}
CASES = [
    # text, format, zone, UTC time or None
    ("1704103200", "epoch_s", "UTC", "2024-01-01 10:00:00"),
    ("1704103200.5", "epoch_s", "UTC", "2024-01-01 10:00:00.500000"),
    ("1704103200123", "epoch_ms", "UTC", "2024-01-01 10:00:00.123000"),
    ("1704103200123456", "epoch_us", "UTC", "2024-01-01 10:00:00.123456"),
    ("9007199254740993", "epoch_us", "UTC", "2255-06-05 23:47:34.740993"),  # no double has it
    ("-1.25", "epoch_s", "UTC", "1969-12-31 23:59:58.750000"),
    (" 17041032e2 ", "epoch_s", "UTC", "2024-01-01 10:00:00"),
    ("17o4103200", "epoch_s", "UTC", None),
    ("", "epoch_s", "UTC", None),
    ("253402300800", "epoch_s", "UTC", None),
    ("1e300", "epoch_s", "UTC", None),
    ("2024-01-01T10:00:00Z", "iso", "UTC", "2024-01-01 10:00:00"),
    (" 2024-01-01 10:00:00.25 ", "iso", "UTC", "2024-01-01 10:00:00.250000"),
    ("2024-01-01T12:00:00+02:00", "iso", "America/New_York", "2024-01-01 10:00:00"),
    ("2024-01-01T05:00:00", "iso", "America/New_York", "2024-01-01 10:00:00"),
    ("2024", "iso", "UTC", None),
    ("10:00:00", "iso", "UTC", None),
    ("2024-02-30T10:00:00Z", "iso", "UTC", None),
    ("01/Jan/2024:12:00:00 +0200", "dd/MMM/yyyy:HH:mm:ss Z", "Asia/Tokyo", "2024-01-01 10:00:00"),
    ("01.01.2024 19:00", "dd.MM.yyyy HH:mm", "Asia/Tokyo", "2024-01-01 10:00:00"),
    ("1.1.2024 19:00", "dd.MM.yyyy HH:mm", "Asia/Tokyo", None),
]


def test_times_of_every_format_become_utc(spark):
    texts = spark.createDataFrame([(case[0],) for case in CASES], "text STRING")
    parsed = [
        parse_time(F.lit(text), TimeFormat(format=form, zone=zone)).cast("string").alias(f"c{n}")
        for n, (text, form, zone, _) in enumerate(CASES)
    ]

    found = texts.limit(1).select(*parsed).first()

    expected = [_trimmed(case[3]) for case in CASES]
    assert list(found) == expected


def _trimmed(text):
    """Spark prints no trailing zeros of a fraction."""
    return text.rstrip("0").rstrip(".") if text and "." in text else text


def test_each_source_has_its_own_actions_and_times(spark):
    shop = SourceConfig(
        name="shop",
        path="in",
        columns={**COLUMNS, "action": "a"},
        actions={"pv": "view"},
        time=TimeFormat(format="epoch_s"),
    )
    moment = datetime(2020, 5, 1, tzinfo=UTC)
    list_ = SourceConfig(
        name="list",
        path="in",
        columns={"user_id": "u", "item_id": "i"},
        action="listen",
        time=TimeFormat(constant=moment),
    )
    rows = [
        ("shop", None, " u1 ", "", "pv", "1704103200", "3.5"),
        ("shop", None, "u1", "i1", "zap", "x", "many"),
        ("list", None, "u1", "i1", None, None, None),
    ]
    names = ["source", "event_id", "user_id", "item_id", "action", "event_time", "value"]
    frame = spark.createDataFrame(rows, ", ".join(f"{name} STRING" for name in names))

    typed = type_events(frame, [shop, list_]).select(
        "user_id", "item_id", "action", F.col("event_ts").cast("string"), "value", "_value"
    )

    assert [tuple(row) for row in typed.collect()] == [
        ("u1", None, "view", "2024-01-01 10:00:00", 3.5, "3.5"),
        ("u1", "i1", None, None, None, "many"),
        ("u1", "i1", "listen", "2020-05-01 00:00:00", None, None),
    ]
