"""What every section of the configuration has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A frozen group of settings; unknown keys are refused, defaults are validated."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
