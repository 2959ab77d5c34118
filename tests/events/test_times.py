"""Texts of times, of every format, to microseconds in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interest_graph.config import TimeFormat
from interest_graph.config.time_patterns import check_format
from interest_graph.events.times import parse_times

START = datetime(1970, 1, 1, tzinfo=UTC)
NEW_YORK = "America/New_York"
LOG = "dd/MMM/yyyy:HH:mm:ss Z"
MAIL = "EEE, d MMM yyyy HH:mm:ss z"
OPTIONAL = "yyyy-MM-dd HH:mm:ss[XXX]"
EPOCHS = [
    # text, format, UTC time or None
    ("1704103200", "epoch_s", "2024-01-01 10:00:00"),
    ("1704103200.5", "epoch_s", "2024-01-01 10:00:00.500000"),
    ("1704103200123", "epoch_ms", "2024-01-01 10:00:00.123000"),
    ("1704103200123456", "epoch_us", "2024-01-01 10:00:00.123456"),
    ("1704103200123456789", "epoch_ns", "2024-01-01 10:00:00.123457"),
    ("1704103200123456500", "epoch_ns", "2024-01-01 10:00:00.123456"),  # half to even
    ("9007199254740993", "epoch_us", "2255-06-05 23:47:34.740993"),  # no double has it
    ("1704103200.12345650000000000000001", "epoch_s", "2024-01-01 10:00:00.123457"),
    ("-1.25", "epoch_s", "1969-12-31 23:59:58.750000"),
    ("+0", "epoch_s", "1970-01-01 00:00:00"),
    (" 17041032e2 ", "epoch_s", "2024-01-01 10:00:00"),
    ("1.7041032E9", "epoch_s", "2024-01-01 10:00:00"),
    ("1.704103200123E12", "epoch_ms", "2024-01-01 10:00:00.123000"),
    ("17041032000e-1", "epoch_s", "2024-01-01 10:00:00"),
    ("17o4103200", "epoch_s", None),
    ("1_704_103_200", "epoch_s", None),
    ("0x10", "epoch_s", None),
    ("1,5", "epoch_s", None),
    ("1704103200 1", "epoch_s", None),
    ("١٧٠٤١٠٣٢٠٠", "epoch_s", None),
    (".", "epoch_s", None),
    ("NaN", "epoch_s", None),
    ("Infinity", "epoch_s", None),
    ("", "epoch_s", None),
    (None, "epoch_s", None),
    ("253402300799", "epoch_s", "9999-12-31 23:59:59"),
    ("253402300800", "epoch_s", None),
    ("1e300", "epoch_s", None),
    ("1e400", "epoch_s", None),
    ("1e99999999999999999999", "epoch_s", None),
    ("1e-99999999999999999999", "epoch_s", None),
    ("99999999999999999999", "epoch_ns", "5138-11-16 09:46:40"),
    ("9" * 300, "epoch_s", None),
]
ISO = [
    # text, zone, UTC time or None
    ("2024-01-01T10:00:00Z", "UTC", "2024-01-01 10:00:00"),
    ("2024-01-01t10:00:00z", "UTC", "2024-01-01 10:00:00"),
    (" 2024-01-01 10:00:00.25 ", "UTC", "2024-01-01 10:00:00.250000"),
    ("2024-01-01T12:00:00+02:00", NEW_YORK, "2024-01-01 10:00:00"),
    ("2024-01-01T05:00:00", NEW_YORK, "2024-01-01 10:00:00"),
    ("2024-1-1 5:00", NEW_YORK, "2024-01-01 10:00:00"),
    ("2024-01-15", NEW_YORK, "2024-01-15 05:00:00"),
    ("2024-07-15", NEW_YORK, "2024-07-15 04:00:00"),
    ("2024-01-10", "+02:00", "2024-01-09 22:00:00"),
    ("2024-01-15 12:00:00 GMT", NEW_YORK, "2024-01-15 12:00:00"),
    ("2024-01-15 12:00:00 UTC", NEW_YORK, "2024-01-15 12:00:00"),
    ("2024-01-15 12:00:00Europe/Berlin", NEW_YORK, "2024-01-15 11:00:00"),
    ("2024-07-15 12:00:00 Europe/Berlin", NEW_YORK, "2024-07-15 10:00:00"),
    ("2024-01-15 12:00:00 Etc/GMT+5", "UTC", "2024-01-15 17:00:00"),
    ("2024-01-15 12:00 America/Argentina/Buenos_Aires", "UTC", "2024-01-15 15:00:00"),
    ("2024-01-15T12:00:00 PST", "UTC", "2024-01-15 20:00:00"),
    ("2024-07-15T12:00:00 CEST", "UTC", "2024-07-15 10:00:00"),
    ("2024-01-15T12:00:00+5:30", NEW_YORK, "2024-01-15 06:30:00"),
    ("2024-01-15T12:00:00+0530", NEW_YORK, "2024-01-15 06:30:00"),
    ("2024-01-15T12:00:00-08", NEW_YORK, "2024-01-15 20:00:00"),
    ("2024-01-15T12:00:00 -3", NEW_YORK, "2024-01-15 15:00:00"),
    ("2024-01-15T12:00:00+01:00:30", NEW_YORK, "2024-01-15 10:59:30"),
    ("2024-01-15T12:00:00-00:00", NEW_YORK, "2024-01-15 12:00:00"),
    ("2024-01-15 12:00:00 UTC+01:00", NEW_YORK, "2024-01-15 11:00:00"),
    ("2024-01-15 12:00:00 GMT-3", NEW_YORK, "2024-01-15 15:00:00"),
    ("2024-01-15T12:00:00+01:00[Europe/Berlin]", NEW_YORK, "2024-01-15 11:00:00"),
    ("2024-01-15T12:00:00[Europe/Berlin]", NEW_YORK, "2024-01-15 11:00:00"),
    ("2024-01-15T12:00:00+01:00 [Europe/Berlin]", NEW_YORK, "2024-01-15 11:00:00"),
    ("2024-01-15 12:00:00.5 +0100 CET", NEW_YORK, "2024-01-15 11:00:00.500000"),
    ("2024-01-15 12:00:00 +0000 UTC", NEW_YORK, "2024-01-15 12:00:00"),
    ("2024-01-15 7:0:0", NEW_YORK, "2024-01-15 12:00:00"),
    ("2024-01-15T12:00:00Z[UTC]", NEW_YORK, "2024-01-15 12:00:00"),
    ("2024-01-15 12:00:00,250", NEW_YORK, "2024-01-15 17:00:00.250000"),
    ("2024-01-15T12:00:00.123456789", NEW_YORK, "2024-01-15 17:00:00.123456"),
    ("2024-01-15T12:00", NEW_YORK, "2024-01-15 17:00:00"),
    ("2024-01-15T24:00:00", NEW_YORK, "2024-01-16 05:00:00"),
    ("2024-12-31T24:00", "UTC", "2025-01-01 00:00:00"),
    ("2024-01-15T24:00:01", "UTC", None),
    ("2024-01-15T25:00:00", "UTC", None),
    ("2024-01-15T12:60:00", "UTC", None),
    ("2016-12-31T23:59:60Z", "UTC", None),
    ("2024-03-10 02:30:00", NEW_YORK, None),  # summer time skips it
    ("2024-03-10 01:59:59", NEW_YORK, "2024-03-10 06:59:59"),
    ("2024-03-10 03:00:00", NEW_YORK, "2024-03-10 07:00:00"),
    ("2023-11-05 01:30:00", NEW_YORK, "2023-11-05 05:30:00"),  # the earlier of two
    ("2023-11-05 02:00:00", NEW_YORK, "2023-11-05 07:00:00"),
    ("2024-03-10 02:30:00 America/New_York", "UTC", None),
    ("2024-02-29", "UTC", "2024-02-29 00:00:00"),
    ("2023-02-29", "UTC", None),
    ("2024-02-30T10:00:00Z", "UTC", None),
    ("2024-13-01", "UTC", None),
    ("2024-00-01", "UTC", None),
    ("2024-01-00", "UTC", None),
    ("0000-01-01", "UTC", None),
    ("9999-12-31T23:59:59-01:00", "UTC", None),
    ("0001-01-01T00:00:00Z", "UTC", "0001-01-01 00:00:00"),
    ("2024", "UTC", None),
    ("2024-01", "UTC", None),
    ("10:00:00", "UTC", None),
    ("20240101", "UTC", None),
    ("2024-01-01T", "UTC", None),
    ("2024-01-01 10", "UTC", None),
    ("2024-01-01T10:00:00.", "UTC", None),
    ("2024-01-01T10:00:00.1234567890", "UTC", None),
    ("2024-01-01T10:00:00+19:00", "UTC", None),
    ("2024-01-01T10:00:00+01:60", "UTC", None),
    ("2024-01-01T10:00:00 IST", "UTC", None),  # Indian, Irish or Israel's?
    ("2024-01-01T10:00:00 Mars/Base", "UTC", None),
    ("2024-01-01T10:00:00 Europe", "UTC", None),
    ("2024-01-01T10:00:00 localtime", "UTC", None),
    ("2024-01-01T10:00:00Zx", "UTC", None),
    ("yesterday", "UTC", None),
    ("２０２４-01-01", "UTC", None),
    ("2024-01-01\x00", "UTC", None),
    (None, "UTC", None),
]
PATTERNS = [
    # text, pattern, zone, UTC time or None
    ("01/Jan/2024:12:00:00 +0200", LOG, "Asia/Tokyo", "2024-01-01 10:00:00"),
    ("01/JAN/2024:12:00:00 +0200", LOG, "Asia/Tokyo", "2024-01-01 10:00:00"),
    ("01/Foo/2024:12:00:00 +0200", LOG, "UTC", None),
    ("01/Jan/2024:12:00:00", LOG, "UTC", None),
    ("01.01.2024 19:00", "dd.MM.yyyy HH:mm", "Asia/Tokyo", "2024-01-01 10:00:00"),
    ("1.1.2024 19:00", "dd.MM.yyyy HH:mm", "Asia/Tokyo", None),
    ("1.1.2024 19:00", "d.M.yyyy HH:mm", "Asia/Tokyo", "2024-01-01 10:00:00"),
    ("2024-05-01 12:00:00+09:00", OPTIONAL, "Asia/Tokyo", "2024-05-01 03:00:00"),
    ("2024-05-01 12:00:00", OPTIONAL, "Asia/Tokyo", "2024-05-01 03:00:00"),
    ("2024-05-01 12:00:00Z", OPTIONAL, "Asia/Tokyo", "2024-05-01 12:00:00"),
    ("2024-05-01 12:00:00 PDT", "yyyy-MM-dd HH:mm:ss[ z]", "UTC", "2024-05-01 19:00:00"),
    ("2024-05-01 12:00:00", "yyyy-MM-dd HH:mm:ss[ VV]", "Asia/Tokyo", "2024-05-01 03:00:00"),
    ("2024-05-01 12:00 Asia/Tokyo", "yyyy-MM-dd HH:mm[ VV]", "UTC", "2024-05-01 03:00:00"),
    ("2024-03-10 02:30", "yyyy-MM-dd HH:mm", NEW_YORK, None),
    ("2023-11-05 01:30", "yyyy-MM-dd HH:mm", NEW_YORK, "2023-11-05 05:30:00"),
    ("Wed, 1 May 2024 12:00:00 GMT", MAIL, "Asia/Tokyo", "2024-05-01 12:00:00"),
    ("Thu, 1 May 2024 12:00:00 GMT", MAIL, "Asia/Tokyo", None),  # it was a Wednesday
    ("1 September 2024", "d MMMM yyyy", "UTC", "2024-09-01 00:00:00"),
    ("May 1, 2024 12:05 AM", "MMM d, yyyy hh:mm a", "UTC", "2024-05-01 00:05:00"),
    ("May 1, 2024 12:05 PM", "MMM d, yyyy hh:mm a", "UTC", "2024-05-01 12:05:00"),
    ("May 1, 2024 01:05 pm", "MMM d, yyyy hh:mm a", "UTC", "2024-05-01 13:05:00"),
    ("May 1, 2024 13:05 PM", "MMM d, yyyy hh:mm a", "UTC", None),
    ("20240501120000123", "yyyyMMddHHmmssSSS", "UTC", "2024-05-01 12:00:00.123000"),
    (
        "2024-05-01T12:00:00.5",
        "yyyy-MM-dd'T'HH:mm:ss[.SSSSSS]",
        "UTC",
        "2024-05-01 12:00:00.500000",
    ),
    ("2024-05-01T12:00:00", "yyyy-MM-dd'T'HH:mm:ss[.SSSSSS]", "UTC", "2024-05-01 12:00:00"),
    ("2024-122", "yyyy-DDD", "UTC", "2024-05-01 00:00:00"),
    ("2023-366", "yyyy-DDD", "UTC", None),
    ("01/05/24 24:30", "dd/MM/yy kk:mm", "UTC", "2024-05-01 00:30:00"),
    ("2024年05月01日", "yyyy年MM月dd日", "UTC", "2024-05-01 00:00:00"),
    ("2024-05-01 o'clock 12", "yyyy-MM-dd 'o''clock' HH", "UTC", "2024-05-01 12:00:00"),
    ("v1 2024-05-01", "'v1' yyyy-MM-dd", "UTC", "2024-05-01 00:00:00"),
    ("v2 2024-05-01", "'v1' yyyy-MM-dd", "UTC", None),
    ("2024-05-01", "yyyy-MM-dd[ HH:mm][ HH.mm]", "UTC", "2024-05-01 00:00:00"),
    ("2024-05-01 12.30", "yyyy-MM-dd[ HH:mm][ HH.mm]", "UTC", "2024-05-01 12:30:00"),
    ("2024-05-01 12:30 13.30", "yyyy-MM-dd[ HH:mm][ HH.mm]", "UTC", None),
    ("2024-05-01 12:00 GMT+8", "yyyy-MM-dd HH:mm O", "UTC", "2024-05-01 04:00:00"),
    ("2024-05-01 12:00 GMT+08:00", "yyyy-MM-dd HH:mm ZZZZ", "UTC", "2024-05-01 04:00:00"),
    ("2024-05-01 12:00 +08:00", "yyyy-MM-dd HH:mm ZZZZZ", "UTC", "2024-05-01 04:00:00"),
    ("2024-05-01 12:00 +08", "yyyy-MM-dd HH:mm x", "UTC", "2024-05-01 04:00:00"),
    ("2024-05-01 AD", "yyyy-MM-dd G", "UTC", "2024-05-01 00:00:00"),
    ("0044-03-15 BC", "yyyy-MM-dd G", "UTC", None),
]
CASES = [
    *[(text, form, "UTC", time) for text, form, time in EPOCHS],
    *[(text, "iso", zone, time) for text, zone, time in ISO],
    *PATTERNS,
]


def parse(texts, **time):
    return parse_times(pa.array(texts, pa.string()), TimeFormat(**time)).to_pylist()


def micros(time):
    return (time - START) // timedelta(microseconds=1)


@pytest.mark.parametrize(("text", "form", "zone", "time"), CASES)
def test_times_of_every_format_become_utc(text, form, zone, time):
    expected = None if time is None else micros(datetime.fromisoformat(time).replace(tzinfo=UTC))

    assert parse([text], format=form, zone=zone) == [expected]


def test_a_column_of_all_kinds_gives_each_text_its_own_time():
    texts = [text for text, zone, _ in ISO if zone == NEW_YORK]
    alone = [parse([text], zone=NEW_YORK)[0] for text in texts]

    assert parse(texts * 3, zone=NEW_YORK) == alone * 3


def test_chunks_slices_and_nulls_keep_their_places():
    texts = pa.array([None, "x", "2024-01-01", None, "2024-01-01T00:00:01Z", "2024-01-01"])

    chunked = pa.chunked_array([texts.slice(1, 3), texts.slice(4), texts.slice(0, 0)])

    day = 1_704_067_200_000_000
    assert parse_times(chunked, TimeFormat()).to_pylist() == [None, day, None, day + 1_000_000, day]
    assert parse([]) == []
    assert parse([None, None]) == [None, None]


@pytest.mark.parametrize(
    ("constant", "time"),
    [
        ("2024-05-01T00:00:00+09:00", "2024-04-30 15:00:00"),
        ("2024-05-01T00:00:00Z", "2024-05-01 00:00:00"),
        ("2024-05-01T00:00:00", "2024-05-01 00:00:00"),
        ("2024-05-01T00:00:00-05:30", "2024-05-01 05:30:00"),
    ],
)
def test_a_constant_time_is_converted_to_utc(constant, time):
    expected = micros(datetime.fromisoformat(time).replace(tzinfo=UTC))

    assert parse([None, "x"], constant=constant) == [expected, expected]


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ("YYYY-MM-DD HH:mm:ss", "years of weeks"),
        ("YYYY-MM-dd", "years of weeks"),
        ("yyyy-MM-DD", "day of the year"),
        ("yyyy-mm-dd", "mm are minutes"),
        ("yyyy-MM-dd HH:MM:ss", "month twice"),
        ("yyyy-mm-dd HH:mm:ss", "minute twice"),
        ("yyyy-MM-dd hh:mm:ss", "write HH"),
        ("yyyy-'W'ww-e", "years of weeks|in weeks"),
        ("yyyy-MM", "no day"),
        ("HH:mm:ss", "no year"),
        ("yyyy-MM-dd mm:ss", "without an hour"),
        ("yyyy-MM-ddTHH:mm:ss", "quoted: 'T'"),
        ("yyyy-MM-dd'T HH:mm", "not closed"),
        ("yyyy-MM-dd[ HH:mm", r"\[ without"),
        ("yyyy-MM-dd] HH:mm", r"\] without"),
        ("yyyy-MM-dd {HH}", "quoted"),
        ("yyyyyyy-MM-dd", "number of letters"),
        ("yyyy-MMM-ddd", "number of letters"),
        ("%Y-%m-%d", "pattern such as"),
        ("epoch", "epoch_ms"),
        ("ISO8601", "epoch_ms"),
        ("", "no year"),
    ],
)
def test_a_format_that_is_no_date_is_refused_by_the_settings(form, problem):
    with pytest.raises(ValueError, match=problem):
        TimeFormat(format=form)


@pytest.mark.parametrize(
    "zone", ["Mars/Base", "IST", "", "localtime", "../etc", "+25:00", "Europe"]
)
def test_an_unknown_zone_is_refused_by_the_settings(zone):
    with pytest.raises(ValueError, match="must be a time zone"):
        TimeFormat(zone=zone)


@settings(deadline=None)
@given(st.text(alphabet="yMdHhmsSXxZzVOaEDGLuYw'[]{}%- :/.T0", max_size=24), st.text(max_size=30))
def test_any_pattern_either_is_refused_or_reads_any_text(pattern, text):
    if check_format(pattern) is None:
        assert len(parse([text], format=pattern)) == 1


ZONES = [
    *("America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"),
    *("Africa/Casablanca", "America/St_Johns", "Asia/Kathmandu", "Europe/Dublin", "UTC"),
]


OFFSETS = st.timedeltas(timedelta(hours=-18), timedelta(hours=18)).map(
    lambda offset: timezone(timedelta(seconds=offset // timedelta(seconds=1)))
)


@settings(deadline=None)
@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=OFFSETS))
def test_iso_texts_agree_with_isoformat(moment):
    texts = [moment.isoformat(), moment.isoformat(sep=" "), moment.isoformat().replace(".", ",")]

    assert parse(texts, zone="Asia/Tokyo") == [micros(moment)] * 3


@settings(deadline=None)
@given(st.lists(st.text(alphabet="0123456789-T:Z+. [/]UTCaez\x00é", max_size=34), max_size=20))
def test_any_text_is_a_time_or_null_whatever_stands_beside_it(texts):
    alone = [time for text in texts for time in parse([text], zone=NEW_YORK)]

    assert parse([*texts, "2024-01-15"], zone=NEW_YORK)[:-1] == alone


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.lists(st.datetimes(datetime(1970, 1, 2), datetime(2037, 12, 30)), min_size=1, max_size=50),
)
def test_local_times_agree_with_zoneinfo(zone, moments):
    region = ZoneInfo(zone)
    aware = [moment.replace(tzinfo=region) for moment in moments]
    # A time that is skipped does not come back from UTC as it was.
    real = [time.astimezone(UTC).astimezone(region).replace(tzinfo=None) for time in aware]

    found = parse([moment.isoformat() for moment in moments], zone=zone)

    expected = [micros(t) if m == r else None for t, m, r in zip(aware, moments, real, strict=True)]
    assert found == expected


@pytest.mark.parametrize("zone", ZONES)
def test_every_quarter_of_an_hour_agrees_with_zoneinfo(zone):
    region = ZoneInfo(zone)
    quarters = np.arange("2010-12-25", "2012-01-05", 900, dtype="datetime64[s]")
    aware = [moment.replace(tzinfo=region) for moment in quarters.tolist()]
    skipped = [t.utcoffset() < t.replace(fold=1).utcoffset() for t in aware]

    found = parse(np.datetime_as_string(quarters).tolist(), zone=zone)

    assert found == [None if s else micros(t) for t, s in zip(aware, skipped, strict=True)]


@settings(deadline=None)
@given(st.decimals(-(10**11), 10**11, allow_nan=False, allow_infinity=False), st.booleans())
def test_numbers_of_seconds_are_rounded_exactly(number, is_scientific):
    text = f"{number:e}" if is_scientific else str(number)

    exact = int((Decimal(text) * 10**6).to_integral_value(ROUND_HALF_EVEN))

    in_range = exact >= -62_135_596_800 * 10**6
    assert parse([text], format="epoch_s") == [exact if in_range else None]


@settings(deadline=None)
@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), st.sampled_from(["d", "b", "B"]))
def test_patterns_agree_with_strftime(moment, kind):
    # %Y is not padded for early years on every platform.
    year = f"{moment.year:04d}"
    pattern, written = {
        "d": ("dd.MM.yyyy HH:mm:ss.SSSSSS", moment.strftime(f"%d.%m.{year} %H:%M:%S.%f")),
        "b": ("EEE d MMM yyyy hh:mm:ss a", moment.strftime(f"%a %d %b {year} %I:%M:%S %p")),
        "B": ("EEEE, MMMM dd yyyy HH:mm:ss", moment.strftime(f"%A, %B %d {year} %H:%M:%S")),
    }[kind]
    exact = moment if kind == "d" else moment.replace(microsecond=0)

    assert parse([written], format=pattern) == [micros(exact.replace(tzinfo=UTC))]
