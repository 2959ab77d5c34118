r"""Regular expressions of log lines, for two engines: RE2 (Arrow's, fast) and Python's re.

Patterns are written as for Java or PCRE, (?<name>...), or as for Python, (?P<name>...). RE2 knows
no look-around, back references or possessive repetition; such patterns are read by re. Where both
can read a pattern they find the same: \d, \w, \s and \b are those of ASCII.
"""

from __future__ import annotations

import re
from functools import lru_cache

# Escapes and character classes are skipped: a bracket there opens no group.
_TOKEN = re.compile(
    r"\\k<(?P<reference>\w+)>|\\Q.*?\\E|\\.|\[\^?\]?(?:\[:\w+:\]|\\.|[^\]\\])*\]"
    r"|\(\?P?<(?P<name>[A-Za-z_]\w*)>|(?P<unnamed>\((?!\?))",
    re.ASCII | re.DOTALL,
)
# Both engines read these, in different ways; {,3} is up to three only to re.
_RE_ONLY = re.compile(r"\{,\d|\(\?[a-z]*i")
_RE2_ONLY = re.compile(r"\[\[:")


def group_names(pattern: str) -> list[str]:
    """Names of the groups of a regular expression, in order."""
    return [match["name"] for match in _TOKEN.finditer(pattern) if match["name"]]


@lru_cache
def for_re2(pattern: str) -> str | None:
    """The pattern as Arrow's extract_regex takes it; None if RE2 cannot read it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rewritten = _rewritten(pattern, unnamed="(?:")  # Arrow accepts named groups only
    if _RE_ONLY.search(pattern) and _compiled(pattern) is not None:
        return None
    try:
        pc.extract_regex(pa.array([""], pa.string()), pattern=rewritten)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return rewritten


@lru_cache
def for_re(pattern: str) -> re.Pattern[str] | None:
    """The pattern compiled by Python's re; None if it cannot."""
    return None if _RE2_ONLY.search(pattern) else _compiled(pattern)


def problem_of(pattern: str) -> str | None:
    """Why no engine can read the pattern; None if one can."""
    names = group_names(pattern)
    if len(set(names)) < len(names):
        return "two groups have the same name"
    if for_re2(pattern) is not None:
        return None
    try:
        re.compile(_rewritten(pattern), re.ASCII)
    except (re.error, ValueError, OverflowError, RecursionError) as error:
        return str(error).splitlines()[0]
    return None


def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(_rewritten(pattern), re.ASCII)
    except (re.error, ValueError, OverflowError, RecursionError):
        return None


def _rewritten(pattern: str, unnamed: str = "(") -> str:
    def rewrite(match: re.Match[str]) -> str:
        if match["name"]:
            return f"(?P<{match['name']}>"
        if match["reference"]:
            return f"(?P={match['reference']})"
        return unnamed if match["unnamed"] else match[0]

    return _TOKEN.sub(rewrite, pattern)
