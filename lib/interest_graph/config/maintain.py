"""Settings of the maintain job."""

from __future__ import annotations

from pydantic import Field, model_validator

from interest_graph.config.base import Section

_SAFE_HOURS = 168  # Delta's own limit: younger files may belong to a reader or to a running write


class MaintainConfig(Section):
    """How the tables' files are kept in shape."""

    retention_hours: int = Field(default=_SAFE_HOURS, ge=0)  # files that left a table later stay
    allow_short_retention: bool = False  # breaks readers and time travel below 168 hours

    @model_validator(mode="after")
    def _retention_is_safe(self) -> MaintainConfig:
        if self.retention_hours < _SAFE_HOURS and not self.allow_short_retention:
            raise ValueError(
                f"retention_hours under {_SAFE_HOURS} removes files that readers may still need; "
                "allow_short_retention: true permits it"
            )
        return self
