"""Which days and batches a run concerns."""

from __future__ import annotations

from datetime import date

from interest_graph.config import CleanConfig, SourceConfig, TimeFormat
from interest_graph.events.reprocess_window import batches_with, reach_of, settings_digest, widen

COLUMNS = {"user_id": "u", "item_id": "i", "event_time": "t"}
FIRST, SECOND, THIRD = (date(2024, 1, day) for day in (1, 2, 3))


def test_plain_settings_concern_the_day_alone():
    assert widen([SECOND], reach_of(CleanConfig()).written) == {SECOND}


def test_a_retry_window_concerns_the_next_day_and_reads_the_one_before():
    reach = reach_of(CleanConfig(retry_seconds=10))

    assert widen([SECOND], reach.written) == {SECOND, THIRD}
    assert widen([SECOND], reach.read) == {FIRST, SECOND}


def test_batches_are_read_again_for_the_days_that_they_hold():
    assert batches_with([SECOND], {"a": [FIRST], "b": [FIRST, SECOND], "c": []}) == ["b"]


def test_digest_changes_with_what_shapes_a_verdict_and_with_nothing_else():
    source = SourceConfig(name="log", path="in", columns=COLUMNS, action="view")
    epoch = source.model_copy(update={"time": TimeFormat(format="epoch_s")})
    moved = source.model_copy(update={"path": "elsewhere"})
    plain = settings_digest(CleanConfig(), [source])

    assert plain == settings_digest(CleanConfig(), [moved])
    assert plain != settings_digest(CleanConfig(), [epoch])
    assert plain != settings_digest(CleanConfig(session_gap_minutes=5), [source])
