"""Log lines to records by a regular expression, found anywhere in the line unless it has ^ or $.

One engine reads all lines of a window (config/log_patterns.py). A group that took no part, without
text or with "-" is a missing value. Blank lines are no records; a line that does not match is
refused with its text, bytes that are not UTF-8 written as \\xNN.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interest_graph.config.log_patterns import for_re, for_re2, group_names
from interest_graph.config.sources import SourceConfig
from interest_graph.errors import DataError
from interest_graph.events.readers.column_names import require_mapped
from interest_graph.events.readers.lines import as_strings, is_blank
from interest_graph.events.readers.payloads import as_json_objects
from interest_graph.events.readers.text_lines import end_of_lines, text_lines
from interest_graph.events.records import Layout, schema_of

_VERTICAL_TAB = b"\x0b"  # white space to re, not to RE2


def read_window(window: bytes, base: int, source: SourceConfig, layout: Layout) -> pa.Table:
    """The records of a window of whole lines; base: the window's offset in the file."""
    starts, ends, lines = _filled_lines(window)
    has_tab = _VERTICAL_TAB in window
    groups, matches = _matched(lines, source.regex, prefer_re=has_tab)
    absent = pa.nulls(len(lines), pa.string())
    mapped = source.columns.values()
    rest = {name: groups[name] for name in layout.columns if name not in mapped}
    payload = pc.if_else(matches, as_json_objects(rest, len(lines)), lines)
    values = [
        pa.array(starts + base),
        pa.array(ends - starts),
        matches,
        payload,
        *[groups.get(name, absent) for name in mapped],
    ]
    return pa.Table.from_arrays(values, schema=schema_of(source.columns))


def end_of_records(window: bytes, source: SourceConfig, layout: Layout) -> int:  # noqa: ARG001
    """Where the last whole line ends, its line end included; 0 without any."""
    return end_of_lines(window)


def inspect(head: bytes, source: SourceConfig) -> Layout | None:
    """The groups of the pattern; None if there is nothing but blanks.

    Raises DataError if no line fits the pattern, or a mapped group is missing from it.
    """
    _, _, lines = _filled_lines(head)
    if not len(lines):
        return None
    _, matches = _matched(lines, source.regex, prefer_re=_VERTICAL_TAB in head)
    if not pc.any(matches).as_py():
        raise DataError("has no line at its start that fits the pattern")
    names = group_names(source.regex)
    require_mapped(source, names)
    return Layout(columns=tuple(names))


def _filled_lines(window: bytes) -> tuple[np.ndarray, np.ndarray, pa.Array]:
    starts, ends = text_lines(window)
    filled = ~is_blank(window, starts, ends)
    starts, ends = starts[filled], ends[filled]
    return starts, ends, as_strings(window, starts, ends).cast(pa.string())


def _matched(
    lines: pa.Array, regex: str, *, prefer_re: bool
) -> tuple[dict[str, pa.Array], pa.Array]:
    """The text of each group (null: missing), and which lines match at all."""
    re2, names = for_re2(regex), group_names(regex)
    if re2 is None or (prefer_re and for_re(regex) is not None):
        groups, matches = _by_re(lines, regex)
    else:
        found = pc.extract_regex(lines, pattern=re2)
        matches = found.is_valid()
        groups = {name: pc.struct_field(found, [n]) for n, name in enumerate(names)}
    return {name: _present(group) for name, group in groups.items()}, matches


def _by_re(lines: pa.Array, regex: str) -> tuple[dict[str, pa.Array], pa.Array]:
    pattern, names = for_re(regex), group_names(regex)
    if pattern is None:
        raise ValueError(f"no engine reads the pattern {regex}")  # the settings refuse it
    found = [pattern.search(line) for line in lines.to_pylist()]
    groups = {
        name: pa.array([match and match[name] for match in found], pa.string()) for name in names
    }
    return groups, pa.array([match is not None for match in found], pa.bool_())


def _present(group: pa.Array) -> pa.Array:
    is_missing = pc.or_(pc.equal(group, ""), pc.equal(group, "-"))
    return pc.if_else(is_missing, pa.scalar(None, pa.string()), group)
