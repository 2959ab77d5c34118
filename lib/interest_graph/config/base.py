"""The base class of all sections of the configuration."""

from __future__ import annotations

from pydantic import AfterValidator, BaseModel, ConfigDict

from interest_graph.plugins import find_function, is_plugin


class Section(BaseModel):
    """A frozen group of settings; unknown keys are errors, defaults are validated too."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def known_or_plugin(*known: str) -> AfterValidator:
    """Validates a name: one of `known`, or a function or class of the user's own.

    The latter is written `module:attribute` and imported at once: a wrong one is refused together
    with all other wrong settings, before Spark starts.
    """

    def check(name: str) -> str:
        if is_plugin(name):
            find_function(name)
        elif name not in known:
            choices = f"{', '.join(map(repr, known))} or " if known else ""
            raise ValueError(f"input should be {choices}module:attribute of your own")
        return name

    return AfterValidator(check)
