"""Names of the columns that a file has, against those that the settings map."""

from __future__ import annotations

from collections.abc import Sequence

from interest_graph.config.sources import SourceConfig
from interest_graph.errors import DataError


def require_mapped(source: SourceConfig, columns: Sequence[str], hint: str = "") -> None:
    """Raise DataError naming the mapped columns that are missing, but for optional ones."""
    missing = [
        name
        for key, name in source.columns.items()
        if key not in source.optional and name not in columns
    ]
    refuse_missing(missing, columns, hint)


def refuse_missing(missing: Sequence[str], present: Sequence[str], hint: str = "") -> None:
    """Raise DataError naming the missing columns, if any, and some of those that are there."""
    if missing:
        shown = ", ".join(present[:30])
        raise DataError(f"has no column {', '.join(missing)}; present: {shown}{hint}")


def refuse_doubles(source: SourceConfig, columns: Sequence[str]) -> None:
    """Raise DataError if a mapped column is there twice: nothing tells which one is meant."""
    doubles = [name for name in source.columns.values() if columns.count(name) > 1]
    if doubles:
        raise DataError(f"names the mapped column {doubles[0]} more than once in its header")


def distinct(names: Sequence[str]) -> list[str]:
    """The names, of doubles the later ones with a number: name, name_2, name_3."""
    taken, found = set(names), list[str]()
    for name in names:
        new, number = name, 2
        while new in found or (new != name and new in taken):
            new, number = f"{name}_{number}", number + 1
        found.append(new)
    return found
