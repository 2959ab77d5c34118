"""All events of some users -> their facts, their days as bots, and the account of every event."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interest_graph.config import CleanConfig
from interest_graph.config.clean import BotConfig
from interest_graph.events.facts import bots, repeats
from interest_graph.events.facts.codes import (
    Codes,
    Ints,
    Mask,
    order_by,
    starts_of_runs,
)
from interest_graph.events.facts.events import Events
from interest_graph.events.facts.fact_table import fact_table
from interest_graph.events.facts.sessions import sessions_of
from interest_graph.events.periods import MICROS_A_DAY

CRAWLER = "crawler_agent"
BOTS = pa.schema(
    [
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("event_date", pa.date32(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("n_events", pa.int64(), nullable=False),
    ]
)
_BY_KEY = [(name, "ascending") for name in ("user_id", "event_date", "rule")]


@dataclass(frozen=True)
class Cleaned:
    """facts: columns of silver.interactions; bots: columns of silver.bots; counts: events by fate.

    facts are sorted by event_date, user_id, event_ts, source, item_id and action, so those of a day
    are one slice; texts other than event_id are dictionaries. In counts, accepted = kept + all of
    the others.
    """

    facts: pa.Table
    counts: dict[str, int]
    bots: pa.Table


def clean_part(events: pa.Table, config: CleanConfig, days: Codes | None) -> Cleaned:
    """Clean all events of some users. The result does not depend on the order of the rows.

    events: source, user_id, item_id, action (texts or dictionaries), micros (int64, since 1970
    UTC), value (double); event_id (text) and is_crawler (bool) where a source maps them.
    days: int32, the days to write, since 1970; None for all. Events of other days are context (one
    may make a later event a retry) and are neither written nor counted.
    Raises DataError if a column is null that must not be. Memory at its peak, the events included:
    some 400 bytes an event (measured).
    """
    scope, coded = _Scope(days), Events.of(events)
    counts = {"accepted": scope.count(coded.day)}
    listed = [BOTS.empty_table()]
    is_crawler = coded.is_crawler if config.bots and config.bots.crawler_agents else None
    if is_crawler is not None:
        listed.append(_crawlers(coded, np.flatnonzero(is_crawler), scope))
        counts[CRAWLER] = _n_events(listed[-1])
    rows = _in_order_of_time(coded, _distinct(coded, is_crawler, config, scope, counts))
    if config.bots is not None:
        rows, found = _without_bots(coded, rows, config.bots, scope)
        for rule in bots.RULES:
            counts[rule] = _n_events(found.filter(pc.equal(found["rule"], rule)))
        listed.append(found)
    sessions = sessions_of(coded.user.codes[rows], coded.day[rows], coded.micros[rows], config)
    facts = fact_table(coded, rows, sessions, np.flatnonzero(scope.holds(coded.day[rows])))
    counts["kept"] = len(facts)
    return Cleaned(facts, counts, pa.concat_tables(listed).sort_by(_BY_KEY))


class _Scope:
    """The days to write."""

    def __init__(self, days: Codes | None) -> None:
        self._days = days

    def holds(self, day: Codes) -> Mask:
        """Whether each day is to be written."""
        return np.ones(len(day), bool) if self._days is None else np.isin(day, self._days)

    def count(self, day: Codes) -> int:
        """How many of the days are to be written."""
        return int(np.count_nonzero(self.holds(day)))


def _crawlers(events: Events, rows: Ints, scope: _Scope) -> pa.Table:
    """The users and days of these rows, as rows of BOTS."""
    user, day = events.user.codes[rows], events.day[rows]
    order = order_by(user, day)
    starts = np.flatnonzero(starts_of_runs(user[order], day[order]))
    sizes = np.diff(starts, append=len(rows))
    return _listed(events, rows[order][starts], [CRAWLER] * len(starts), sizes, scope)


def _distinct(
    events: Events,
    is_crawler: Mask | None,
    config: CleanConfig,
    scope: _Scope,
    counts: dict[str, int],
) -> Ints:
    """The rows of people that repeat no other; enters in `counts` those that do, by reason."""
    acts = repeats.acts_of(events)
    if is_crawler is not None and is_crawler.any():
        acts = acts.where(~is_crawler[acts.rows])
    if events.event_id is not None:
        acts, same_id = repeats.without_repeated_ids(events, acts)
        counts[repeats.DUPLICATE_ID] = scope.count(events.day[same_id])
    kept, same_event, retries = repeats.without_repeated_events(
        acts, retry_seconds=config.retry_seconds
    )
    counts[repeats.DUPLICATE_EVENT] = scope.count(events.day[same_event])
    counts[repeats.RETRY] = scope.count(events.day[retries])
    return kept


def _in_order_of_time(events: Events, rows: Ints) -> Ints:
    """Rows in the order of their acts, by day, user, time, source, item and action.

    That is a total order of distinct events. Those of a user at one time keep their order, which is
    already that of source, item and action.
    """
    day, user = events.day[rows], events.user.codes[rows]
    since_midnight = events.micros[rows] - np.multiply(day, MICROS_A_DAY, dtype=np.int64)
    return rows[order_by(day, user, since_midnight, np.arange(len(rows)))]


def _without_bots(
    events: Events, rows: Ints, config: BotConfig, scope: _Scope
) -> tuple[Ints, pa.Table]:
    """The rows of users' days that break no rule, and the other days as rows of BOTS."""
    is_first = starts_of_runs(events.day[rows], events.user.codes[rows])
    days = bots.UserDays.of(is_first, events.micros[rows], events.item.codes[rows])
    verdicts = bots.verdicts(days, config)
    broken = np.flatnonzero(verdicts != bots.NO_BOT)
    if not len(broken):
        return rows, BOTS.empty_table()
    rules = [bots.RULES[verdict] for verdict in verdicts[broken].tolist()]
    found = _listed(events, rows[days.start[broken]], rules, days.sizes[broken], scope)
    return rows[(verdicts == bots.NO_BOT)[days.number]], found


def _listed(events: Events, rows: Ints, rules: list[str], sizes: Ints, scope: _Scope) -> pa.Table:
    """Rows of BOTS for the users and days of these rows; those of days to write."""
    day = events.day[rows]
    columns = [
        events.user.column(rows).cast(pa.string()),
        pa.array(day, pa.date32()),
        pa.array(rules, pa.string()),
        pa.array(sizes, pa.int64()),
    ]
    return pa.Table.from_arrays(columns, schema=BOTS).filter(pa.array(scope.holds(day)))


def _n_events(listed: pa.Table) -> int:
    return pc.sum(listed["n_events"]).as_py() or 0
