"""Settings of the sources: where raw data is, its format, and the mapping of its columns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from interest_graph.config.base import Section, known_or_plugin
from interest_graph.config.log_patterns import group_names as group_names
from interest_graph.config.log_patterns import problem_of
from interest_graph.config.time_patterns import check_format
from interest_graph.config.time_zones import configured_zone

EVENT_COLUMNS = ("event_id", "user_id", "item_id", "action", "event_time", "value", "user_agent")
USER_COLUMNS = ("user_id",)
ITEM_COLUMNS = ("item_id", "title", "text", "categories")
SOCIAL_COLUMNS = ("user_id", "friend_id", "weight")

# Columns of every record besides the mapped ones; Spark, which reads Delta tables, tells columns
# apart by their names.
_OF_RECORDS = ("file", "position", "length", "is_readable", "payload")

_REQUIRED = {
    "events": ("user_id", "item_id"),
    "users": ("user_id",),
    "items": ("item_id",),
    "social_edges": ("user_id", "friend_id"),
}

# Named groups become columns. In quoted fields a quote is escaped by a backslash.
LOG_PATTERNS = {
    "common": (
        r"^(?<host>\S+) (?<ident>\S+) (?<user>\S+) \[(?<time>[^\]]+)\] "
        r'"(?<method>[A-Z]+) (?<path>\S+)(?: (?<protocol>[^"]*))?" (?<status>\d{3}) (?<size>\d+|-)$'
    ),
    "combined": (
        r"^(?<host>\S+) (?<ident>\S+) (?<user>\S+) \[(?<time>[^\]]+)\] "
        r'"(?<method>[A-Z]+) (?<path>\S+)(?: (?<protocol>[^"]*))?" (?<status>\d{3}) (?<size>\d+|-) '
        r'"(?<referer>(?:[^"\\]|\\.)*)" "(?<agent>(?:[^"\\]|\\.)*)"$'
    ),
}


class TimeFormat(Section):
    """How event times are written."""

    format: str = "iso"  # epoch_s, _ms, _us or _ns, iso, or a datetime pattern of Spark
    zone: str = "UTC"  # region or offset of times that are written without one
    constant: datetime | None = None  # time of all records, for a source without times

    @field_validator("format")
    @classmethod
    def _is_a_date(cls, form: str) -> str:
        problem = check_format(form)
        if problem is not None:
            raise ValueError(problem)
        return form

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, zone: str) -> str:
        if configured_zone(zone) is None:
            raise ValueError("must be a time zone such as Europe/Berlin, or an offset as +02:00")
        return zone

    @field_validator("constant")
    @classmethod
    def _in_utc(cls, constant: datetime | None) -> datetime | None:
        """The time in UTC; one that is written without an offset is meant in UTC."""
        if constant is None or constant.tzinfo is None:
            return constant and constant.replace(tzinfo=UTC)
        try:
            return constant.astimezone(UTC)
        except OverflowError:
            raise ValueError("must lie between the years 1 and 9999") from None


class SourceConfig(Section):
    """One input: files of one format with one column mapping."""

    name: str = Field(pattern=r"^[a-z0-9_][a-z0-9_-]*$")
    kind: Literal["events", "users", "items", "social_edges"] = "events"
    # or module:attribute of a format of your own
    format: Annotated[str, known_or_plugin("csv", "json", "parquet", "delta", "log")] = "csv"
    path: str  # file, folder or glob; .gz and .zst files are decompressed
    delimiter: str = Field(default=",", min_length=1)  # csv only; may have several characters
    header: bool = True  # csv only; without a header, columns are called _c0, _c1, ...
    quote: str = Field(default='"', max_length=1)  # csv only; empty: no quoting
    # csv only; how a quote is written within quotes: "" or \"; auto: doubled where a record is read
    # well so, else by backslash
    quote_escape: Literal["auto", "doubled", "backslash"] = "auto"
    multiline: bool = False  # csv only; quoted fields may have line ends (files are then not split)
    encoding: str = "UTF-8"
    pattern: str = "combined"  # log only: common, combined, or a regular expression of named groups
    columns: dict[str, str]  # column of the suite -> column of the source; a.b: b in JSON object a
    # reference: bronze keeps no records, clean reads the files again: for files that never change
    bronze: Literal["keep", "reference"] = "keep"
    optional: list[str] = []  # mapped columns that may be absent from a file
    explode: str | None = Field(default=None, min_length=1)  # delimiter, if item_id is a list
    action: str | None = None  # action of all rows, for a source without such a column
    actions: dict[str, str] = {}  # action as written -> action name; empty: as written
    time: TimeFormat = TimeFormat()
    list_delimiter: str = Field(default="|", min_length=1)  # between the categories of an item

    @field_validator("pattern")
    @classmethod
    def _pattern_has_groups(cls, pattern: str) -> str:
        if pattern in LOG_PATTERNS:
            return pattern
        if not group_names(pattern):
            raise ValueError(
                f"must be {' or '.join(LOG_PATTERNS)}, or a regular expression "
                "with (?<name>...) groups"
            )
        problem = problem_of(pattern)
        if problem:
            raise ValueError(f"is no regular expression: {problem}")
        return pattern

    @model_validator(mode="after")
    def _delimiter_ends_fields(self) -> SourceConfig:
        taken = [sign for sign in ("\n", "\r", self.quote) if sign and sign in self.delimiter]
        if taken:
            raise ValueError("delimiter must hold neither the quote nor a line end")
        return self

    @model_validator(mode="after")
    def _columns_fit_the_kind(self) -> SourceConfig:
        lacking = [column for column in _REQUIRED[self.kind] if column not in self.columns]
        if lacking:
            raise ValueError(f"columns must map {', '.join(lacking)}")
        if self.kind == "events":
            _refuse_unknown(self.columns, EVENT_COLUMNS)
            self._require_action_and_time()
        if self.kind == "social_edges":
            _refuse_unknown(self.columns, SOCIAL_COLUMNS)
        return self

    @model_validator(mode="after")
    def _names_are_free(self) -> SourceConfig:
        taken = [column for column in self.columns if column.lower() in _OF_RECORDS]
        if taken and self.format == "delta":
            raise ValueError(
                f"columns cannot map {', '.join(taken)} of a Delta table: every record has a "
                f"column of that name; choose another, such as own_{taken[0]}"
            )
        return self

    def _require_action_and_time(self) -> None:
        if ("action" in self.columns) == (self.action is not None):
            raise ValueError("either columns.action or action must say what the user did")
        if ("event_time" in self.columns) == (self.time.constant is not None):
            raise ValueError("either columns.event_time or time.constant must say when it happened")

    @property
    def regex(self) -> str:
        """The regular expression of a log line."""
        return LOG_PATTERNS.get(self.pattern, self.pattern)


def _refuse_unknown(columns: dict[str, str], known: tuple[str, ...]) -> None:
    unknown = [column for column in columns if column not in known]
    if unknown:
        raise ValueError(f"columns cannot map {', '.join(unknown)}; known: {', '.join(known)}")
