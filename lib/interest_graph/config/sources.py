"""Where raw data lies and how its columns map to the suite's."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from interest_graph.config.base import Section

EVENT_COLUMNS = ("event_id", "user_id", "item_id", "action", "event_time", "value", "user_agent")
ITEM_COLUMNS = ("item_id", "title", "text", "categories")
SOCIAL_COLUMNS = ("user_id", "friend_id", "weight")


class TimeFormat(Section):
    """How event times are written."""

    format: str = "iso"  # epoch_s, epoch_ms, epoch_us, iso, or a Spark datetime pattern
    zone: str = "UTC"  # of times written without an offset


class SourceConfig(Section):
    """One input: files of one format with one column mapping."""

    name: str = Field(pattern=r"^[a-z0-9_][a-z0-9_-]*$")
    kind: Literal["events", "users", "items", "social_edges"] = "events"
    format: Literal["csv", "json", "parquet", "delta"] = "csv"
    path: str  # file, folder or glob; gzip by file name
    delimiter: str = ","  # csv only
    header: bool = True  # csv only; without a header, columns are called _c0, _c1, ...
    encoding: str = "UTF-8"
    columns: dict[str, str]  # suite column -> column of the source (dots reach into JSON objects)
    action: str | None = None  # the action of every row, where no column holds it
    actions: dict[str, str] = {}  # action as written -> action name; empty: as written
    time: TimeFormat = TimeFormat()
    list_delimiter: str = "|"  # splits `categories` of an item

    @model_validator(mode="after")
    def _columns_fit_the_kind(self) -> SourceConfig:
        required = {
            "events": ["user_id", "item_id"],
            "users": ["user_id"],
            "items": ["item_id"],
            "social_edges": ["user_id", "friend_id"],
        }[self.kind]
        lacking = [column for column in required if column not in self.columns]
        if lacking:
            raise ValueError(f"columns must map {', '.join(lacking)}")
        return self
