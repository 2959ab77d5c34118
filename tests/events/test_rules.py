"""Every rule refuses its record, and no other."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interest_graph.config import CleanConfig, SourceConfig, TimeFormat
from interest_graph.errors import DataError
from interest_graph.events.records import schema_of
from interest_graph.events.rules import refuse
from interest_graph.events.typed_records import type_records

AS_OF = datetime(2024, 1, 31, tzinfo=UTC)
COLUMNS = {"user_id": "u", "item_id": "i", "action": "a", "event_time": "t", "value": "v"}
SOURCE = SourceConfig(
    name="s",
    path="in",
    columns={**COLUMNS, "user_agent": "agent", "event_id": "e"},
    actions={"rate": "rate", "dwell": "dwell"},
    time=TimeFormat(format="epoch_s"),
)
GOOD = {"user_id": "u", "item_id": "i", "action": "rate", "event_time": "1704103200", "value": "3"}
GOOD_MICROS = 1_704_103_200_000_000
CONFIG = CleanConfig(
    value_bounds={"rate": [1, 5]},
    value_caps={"dwell": 60},
    rules=[{"reason": "test_user", "column": "user_id", "must": "user_id NOT LIKE 'test%'"}],
)
CASES = [
    # reason, changes to a good record
    ("missing_user_id", {"user_id": " "}),
    ("missing_item_id", {"item_id": None}),
    ("long_user_id", {"user_id": "x" * 513}),
    ("long_item_id", {"item_id": "é" * 513}),
    ("list_item_id", {"item_id": '["a","b"]'}),
    ("list_item_id", {"item_id": "[]"}),
    ("missing_action", {"action": None}),
    ("missing_action", {"action": " "}),
    ("unknown_action", {"action": "zap"}),
    ("missing_time", {"event_time": None}),
    ("missing_time", {"event_time": ""}),
    ("bad_time", {"event_time": "yesterday"}),
    ("bad_time", {"event_time": "1e400"}),
    ("future_time", {"event_time": "1706660000"}),
    ("future_time", {"event_time": "1706659800.000001"}),
    ("ancient_time", {"event_time": "0"}),
    ("ancient_time", {"event_time": "631151999.999999"}),
    ("bad_value", {"value": "many"}),
    ("bad_value", {"value": "Infinity"}),
    ("bad_value", {"value": "1e400"}),
    ("bad_value", {"value": "5d"}),
    ("bad_value", {"value": "NaN"}),
    ("negative_value", {"action": "dwell", "value": "-1"}),
    ("value_out_of_bounds", {"value": "6"}),
    ("value_out_of_bounds", {"value": "0.5"}),
    ("test_user", {"user_id": "test7"}),
]
FINE = [
    {},
    {"user_id": "é" * 512},
    {"item_id": "[a"},
    {"item_id": "[draft] essay"},
    {"value": None},
    {"value": ""},
    {"value": " \t"},
    {"value": "5"},
    {"action": "dwell", "value": "50000000000"},
    {"event_time": "1706659800"},
    {"event_time": "631152000"},
]


def verdict(*rows, config=CONFIG, source=SOURCE, by_spark=None):
    full = [
        {"position": 10 * n, "length": 1, "is_readable": True, "payload": None, **row}
        for n, row in enumerate(rows)
    ]
    records = pa.Table.from_pylist(full, schema_of(source.columns))
    return refuse(type_records(records, source), config, source, AS_OF, by_spark or {})


def rules(*musts, **more):
    settings = [{"reason": "broken", "column": "value", "must": must, **more} for must in musts]
    return CleanConfig(rules=settings)


def test_each_rule_refuses_for_its_own_reason_alone():
    found = verdict(GOOD, *[{**GOOD, **changes} for _, changes in CASES])

    assert found.refused["reasons"].to_pylist() == [[reason] for reason, _ in CASES]
    assert found.refused["position"].to_pylist() == [10 * n for n in range(1, len(CASES) + 1)]
    assert found.accepted.num_rows == 1
    assert found.counts["reason.bad_value"] == 5


@pytest.mark.parametrize("changes", FINE)
def test_a_record_at_the_edge_of_a_rule_is_accepted(changes):
    found = verdict({**GOOD, **changes})

    assert found.refused["reasons"].to_pylist() == []


def test_items_of_a_list_are_accepted_where_the_source_takes_lists_apart():
    source = SOURCE.model_copy(update={"explode": ","})

    assert verdict({**GOOD, "item_id": "[1]"}, source=source).accepted.num_rows == 1


def test_all_broken_rules_of_a_record_are_kept_with_it():
    broken = {**GOOD, "item_id": "", "event_time": "x", "value": "-2", "action": "dwell"}
    raw = {"is_readable": False, "payload": "no, sense"}

    found = verdict(broken, raw).refused

    reasons = ["missing_item_id", "bad_time", "negative_value"]
    assert found["reasons"].to_pylist() == [reasons, ["unreadable"]]
    assert found["payload"][1].as_py() == "no, sense"


def test_a_refused_record_keeps_what_was_received_in_order():
    row = {**GOOD, "user_id": " u ", "event_id": "é/", "value": " x", "payload": '{"k":1}'}

    (payload,) = verdict({**row, "user_agent": None}).refused["payload"].to_pylist()

    names = ["event_id", "user_id", "item_id", "event_time", "payload", "action", "value"]
    assert list(json.loads(payload)) == names
    assert payload.startswith('{"event_id":"é/","user_id":"u","item_id":"i","event_time":"17')
    assert payload.endswith(r'"payload":"{\"k\":1}","action":"rate","value":" x"}')


def test_accepted_records_are_the_others_with_capped_values():
    found = verdict(GOOD, {**GOOD, "action": "dwell", "value": "99"}, {**GOOD, "value": "0"})

    rows = found.accepted.select(["source", "action", "micros", "value"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("s", "rate", GOOD_MICROS, 3.0),
        ("s", "dwell", GOOD_MICROS, 60.0),
    ]


def test_days_are_of_accepted_records_and_the_earliest_future_time_is_told():
    times = ["1706700000", "1706800000", "1704103200", "0", "1704189600", "1704103201"]

    found = verdict(*[{**GOOD, "event_time": time} for time in times])

    assert found.days.tolist() == [19723, 19724]
    assert found.earliest_future == 1_706_700_000_000_000
    assert verdict(GOOD).earliest_future is None


def test_no_records_give_an_empty_verdict():
    found = verdict()

    assert (found.accepted.num_rows, found.refused.num_rows, found.counts) == (0, 0, {})
    assert found.days.tolist() == []


def test_a_warning_refuses_nothing_and_counts_a_record_once():
    config = rules("value > 3", "value <> 2", severity="warn")

    found = verdict(*[{**GOOD, "value": value} for value in ("3", "2", "4", None)], config=config)

    assert found.refused.num_rows == 0
    assert found.counts == {"reason.broken": 2}


@pytest.mark.parametrize(
    ("must", "changes", "is_broken"),
    [
        ("value > 3", {}, True),
        ("value > 3", {"value": None}, False),
        ("event_ts < TIMESTAMP '2024-01-01 10:00:00'", {}, True),
        ("event_ts <= TIMESTAMP '2024-01-01 10:00:00'", {}, False),
        ("payload->>'$.a' = 'x'", {"payload": '{"a":"y"}'}, True),
        ("payload->>'$.a' = 'x'", {"payload": '{"b":"y"}'}, False),
        ("payload->>'$.a' = 'x'", {"payload": None}, False),
        (r"regexp_matches(user_id, '^\w+$')", {"user_id": "a-b"}, True),
        ("source = 's' AND action IN ('rate')", {}, False),
        ("coalesce(user_agent, '') <> ''", {}, True),
        ("user_id <> 'u' -- the probe", {}, True),
        ("user_id <> 'it''s'", {"user_id": "it's"}, True),
    ],
)
def test_a_predicate_that_is_false_breaks_the_rule_and_null_does_not(must, changes, is_broken):
    found = verdict({**GOOD, **changes}, config=rules(must))

    assert found.refused.num_rows == int(is_broken)


def test_a_predicate_that_fails_names_rule_and_record():
    users = [{**GOOD, "user_id": user} for user in ("1", "2", "x", "3", "y")]
    config = rules("value > 0", "CAST(user_id AS INTEGER) > 0")

    with pytest.raises(DataError, match=r"source s: clean\.rules\.1\.must .* position 20 .*'x'"):
        verdict(*users, config=config)


def test_a_rule_of_spark_is_told_by_its_truth_values():
    config = rules("item_id RLIKE '^i'", engine="spark")

    found = verdict(GOOD, GOOD, GOOD, config=config, by_spark={0: pa.array([False, None, True])})

    assert found.refused["position"].to_pylist() == [20]
    with pytest.raises(ValueError, match="2 truth values for 1 records"):
        verdict(GOOD, config=config, by_spark={0: pa.array([True, True])})


@pytest.mark.parametrize(
    ("must", "problem"),
    [
        ("user_id RLIKE 'a'", "regexp_matches"),
        ("rlike(user_id, 'a')", "regexp_matches"),
        ("get_json_object(payload, '$.a') = 'x'", r"payload->>'\$"),
        ("`user_id` = 'a'", "double quotes"),
        ('user_id <> "a"', "single quotes"),
        ("event_ts < current_timestamp", "not on clock"),
        ("event_ts < current_timestamp()", "not on clock|syntax"),
        ("event_ts < now()", "not on clock"),
        ("age(event_ts) < INTERVAL 1 YEAR", "not on clock"),
        ("event_ts > current_date", "not on clock"),
        ("random() < 0.5", "not on clock"),
        ("getvariable('x') = 1", "not on clock"),
        ("user_id IN (SELECT content FROM read_text('/etc/passwd'))", "one record at a time"),
        ("EXISTS (FROM read_csv('a.csv'))", "one record at a time"),
        ("count(*) > 1", "aggregates"),
        ("row_number() OVER () > 1", "one record at a time"),
        ("COLUMNS(*) IS NOT NULL", "one record at a time"),
        ("dayofweek(event_ts) = 1", "isodow"),
        ("extract(dow FROM event_ts) = 1", "isodow"),
        ("substring(user_id, 0, 1) = 'a'", "counts from 1"),
        ("split(user_id, '-')[1] = 'a'", "split_part"),
        ("string_split(user_id, '-')[0] = 'a'", "from 1"),
        ("concat(user_id, item_id) <> ''", r"a \|\| b"),
        ("regexp_extract(user_id, '(a)') = 'a'", "name the group"),
        ("regexp_replace(user_id, 'a', '') = ''", "'g'"),
        (r"user_id NOT LIKE 'a\_%'", "ESCAPE"),
        (r"regexp_matches(user_id, '\\d+')", "backslash"),
        ("user_id <=> 'a'", "DISTINCT"),
        ("isnull(user_id)", "IS NULL"),
        ("valeu > 3", "columns: source"),
        ("rowid > 3", "columns: source"),
        ("value", "must be true or false, not DOUBLE"),
        ("value >", "no SQL predicate"),
        ("", "no SQL predicate"),
        ("true), (false", "one SQL expression"),
        ("true); DROP TABLE typed; SELECT (true", "no SQL|one SQL"),
        ("true) FROM typed WHERE (true", "one SQL expression"),
        ("value > ?", "one record at a time: parameter"),
        ("no_such(value)", "no_such"),
    ],
)
def test_a_predicate_that_is_not_duckdbs_is_refused_by_the_settings(must, problem):
    with pytest.raises(ValueError, match=problem):
        rules(must)


def test_a_rule_of_spark_is_not_checked_by_duckdb():
    assert rules("rlike(user_id, 'a')", engine="spark").rules[0].engine == "spark"


TEXTS = st.one_of(
    st.none(), st.text(max_size=8), st.sampled_from([*GOOD.values(), "[1]", "-1", "1e9", " "])
)
ROWS = st.lists(
    st.one_of(
        st.just(GOOD),
        st.fixed_dictionaries({"is_readable": st.just(False), "payload": st.text(max_size=5)}),
        st.fixed_dictionaries(dict.fromkeys(GOOD, TEXTS)),
    ),
    max_size=8,
)


@settings(deadline=None, max_examples=50)
@given(ROWS)
def test_every_record_is_either_accepted_or_refused_with_reasons_as_if_it_were_alone(rows):
    found = verdict(*rows)

    alone = [verdict(row) for row in rows]
    reasons = [one.refused["reasons"].to_pylist() for one in alone]
    accepted = [row for one in alone for row in one.accepted.to_pylist()]
    assert found.refused["reasons"].to_pylist() == [held for one in reasons for held in one]
    assert found.accepted.to_pylist() == accepted
    assert len(found.accepted) + len(found.refused) == len(rows)
    assert all(held for one in reasons for held in one)


AGENTS = ["Mozilla/5.0 (Windows NT 10.0)", "Googlebot/2.1", None, "Googlebot/2.1", ""]


@pytest.mark.parametrize("bots", [None, {"crawler_agents": False}, {"crawler_agents": True}])
def test_crawlers_are_told_where_the_settings_ask_for_it(bots):
    config = CleanConfig(bots=bots)

    accepted = verdict(*[{**GOOD, "user_agent": agent} for agent in AGENTS], config=config).accepted

    if config.bots is not None and config.bots.crawler_agents:
        assert accepted["is_crawler"].to_pylist() == [False, True, False, True, False]
    else:
        assert "is_crawler" not in accepted.column_names


def test_a_source_without_user_agents_has_no_crawlers():
    source = SourceConfig(name="s", path="in", columns=COLUMNS, time=TimeFormat(format="epoch_s"))

    accepted = verdict(GOOD, config=CleanConfig(bots={}), source=source).accepted

    assert "is_crawler" not in accepted.column_names
