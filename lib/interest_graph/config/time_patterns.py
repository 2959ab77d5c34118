"""Time formats as regular expressions: ISO 8601, and the datetime patterns of Spark and Java.

Each part of a time is a named group, such as `month0` or `zone1`: the part and a running number,
because optional sections may write a part in several ways. Nothing else decides what a text holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

# Format -> decimal digits that its unit lies below the second.
EPOCHS = {"epoch_s": 0, "epoch_ms": 3, "epoch_us": 6, "epoch_ns": 9}
MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_REGION = r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*"
_ISO_OFFSET = r"(?:UTC|GMT|UT)?[+-](?:\d{1,2}:\d{2}(?::\d{2})?|\d{6}|\d{4}|\d{1,2})"
_ISO = (
    r"(?P<year0>\d{4})-(?P<month0>\d{1,2})-(?P<day0>\d{1,2})"
    r"(?:[T ](?P<hour0>\d{1,2}):(?P<minute0>\d{1,2})"
    r"(?::(?P<second0>\d{1,2})(?:[.,](?P<fraction0>\d{1,9}))?)?"
    rf" *(?P<zone0>(?:{_ISO_OFFSET}|Z)(?: ?\[{_REGION}\]| [A-Z]{{2,5}})?|{_REGION}"
    rf"|\[{_REGION}\])?)?"
)

_TOKEN = re.compile(r"(?P<letters>([A-Za-z])\2*)|'(?P<quoted>(?:[^']|'')*)'|(?P<sign>.)", re.DOTALL)
# Letter -> the part, and the regular expression for each number of letters.
_NUMBERS = {
    **{letter: ("year", {1: r"\d{1,4}", 3: r"\d{3,4}", 4: r"\d{4}"}) for letter in "yu"},
    **{letter: ("month", {1: r"\d{1,2}", 2: r"\d{2}"}) for letter in "ML"},
    "d": ("day", {1: r"\d{1,2}", 2: r"\d{2}"}),
    "D": ("day_of_year", {1: r"\d{1,3}", 2: r"\d{2,3}", 3: r"\d{3}"}),
    "H": ("hour", {1: r"\d{1,2}", 2: r"\d{2}"}),
    "k": ("clock_hour", {1: r"\d{1,2}", 2: r"\d{2}"}),
    "h": ("clock_half_hour", {1: r"\d{1,2}", 2: r"\d{2}"}),
    "K": ("half_hour", {1: r"\d{1,2}", 2: r"\d{2}"}),
    "m": ("minute", {1: r"\d{1,2}", 2: r"\d{2}"}),
    "s": ("second", {1: r"\d{1,2}", 2: r"\d{2}"}),
    "S": ("fraction", {n: rf"\d{{1,{n}}}" for n in range(1, 10)}),
}
_SHORT_MONTHS = "|".join(name[:3] for name in MONTHS)
_SHORT_DAYS = "|".join(name[:3] for name in WEEKDAYS)
_HH_MM = r"[+-]\d{2}:\d{2}"
_TEXTS = {
    **{letter: ("month_name", {3: _SHORT_MONTHS, 4: "|".join(MONTHS)}) for letter in "ML"},
    **{letter: ("year_of_century", {2: r"\d{2}"}) for letter in "yu"},
    "E": ("weekday", {**dict.fromkeys((1, 2, 3), _SHORT_DAYS), 4: "|".join(WEEKDAYS)}),
    "a": ("half", {1: "am|pm"}),
    "G": ("era", {**dict.fromkeys((1, 2, 3), "AD"), 4: "Anno Domini"}),
    "X": (
        "zone",
        {
            1: r"Z|[+-]\d{2}(?:\d{2})?",
            2: r"Z|[+-]\d{4}",
            3: rf"Z|{_HH_MM}",
            4: r"Z|[+-]\d{4}(?:\d{2})?",
            5: rf"Z|{_HH_MM}(?::\d{{2}})?",
        },
    ),
    "x": (
        "zone",
        {
            1: r"[+-]\d{2}(?:\d{2})?",
            2: r"[+-]\d{4}",
            3: _HH_MM,
            4: r"[+-]\d{4}(?:\d{2})?",
            5: rf"{_HH_MM}(?::\d{{2}})?",
        },
    ),
    "Z": (
        "zone",
        {
            **dict.fromkeys((1, 2, 3), r"[+-]\d{4}"),
            4: rf"GMT(?:{_HH_MM}(?::\d{{2}})?)?",
            5: rf"Z|{_HH_MM}(?::\d{{2}})?",
        },
    ),
    "O": (
        "zone",
        {1: r"GMT(?:[+-]\d{1,2}(?::\d{2})?)?", 4: rf"GMT(?:{_HH_MM}(?::\d{{2}})?)?"},
    ),
    "V": ("zone", {2: rf"{_HH_MM}(?::\d{{2}})?|{_REGION}"}),
    "z": ("zone", dict.fromkeys((1, 2, 3), _REGION)),
}
_WRONG = {
    **dict.fromkeys("Yw", "stands for years of weeks; write yyyy for the year"),
    **dict.fromkeys("ecF", "counts days in weeks; write dd for the day of the month"),
    **dict.fromkeys("Qq", "is a quarter, which says no date; write MM for the month"),
    **dict.fromkeys("AnN", "counts parts of a day; write HH:mm:ss and S for fractions of a second"),
}
_HOURS = {"hour", "clock_hour", "clock_half_hour", "half_hour"}
_ONCE = {"year", "year_of_century", "month", "month_name", "day", "minute", "second", *_HOURS}


@lru_cache(maxsize=256)
def time_regex(form: str) -> re.Pattern[bytes]:
    """The regular expression of `iso` or of a pattern, for a whole text; blanks around it match.

    Letters match in either case, as in Spark. Raises ValueError saying what is wrong with the
    pattern.
    """
    text = _ISO if form == "iso" else _translated(form)
    return re.compile(rf"[ \t\r\n]*(?:{text})[ \t\r\n]*".encode(), re.IGNORECASE)


def check_format(form: str) -> str | None:
    """What is wrong with a time format of the settings; None if nothing is."""
    if form in EPOCHS:
        return None
    try:
        time_regex(form)
    except ValueError as error:
        return str(error)
    return None


@dataclass
class _Translation:
    """What has been translated so far: the expression, and (part, depth of its section)."""

    regex: str = ""
    depth: int = 0
    parts: list[tuple[str, int]] = field(default_factory=list)

    def add(self, part: str, regex: str) -> None:
        self.regex += f"(?P<{part}{len(self.parts)}>{regex})"
        self.parts.append((part, self.depth))


def _translated(pattern: str) -> str:
    if "%" in pattern or re.match("(?i)epoch|unix|iso|timestamp|rfc", pattern):
        raise ValueError(f"must be iso, {', '.join(EPOCHS)} or a pattern such as yyyy-MM-dd HH:mm")
    done = _Translation()
    for kind, token in _tokens(pattern):
        if kind == "letters":
            done.add(*_part(token))
        elif kind == "literal":
            _add_literal(done, token)
        elif token == "[":
            done.depth, done.regex = done.depth + 1, f"{done.regex}(?:"
        else:
            done.depth, done.regex = done.depth - 1, f"{done.regex})?"
            if done.depth < 0:
                raise ValueError("has a ] without a [ before it")
    if done.depth:
        raise ValueError("has a [ without a ]")
    _require_a_date(done.parts)
    return done.regex


def _tokens(pattern: str) -> Iterator[tuple[str, str]]:
    """(kind, token): letters, literal, or section for [ and ]."""
    for match in _TOKEN.finditer(pattern):
        if match["letters"]:
            yield "letters", match["letters"]
        elif match["quoted"] is not None:
            yield "literal", match["quoted"].replace("''", "'") or "'"
        elif match["sign"] in "[]":
            yield "section", match["sign"]
        elif match["sign"] == "'":
            raise ValueError("has a quote ' that is not closed")
        elif match["sign"] in "{}#":
            raise ValueError(f"has a {match['sign']}, which must be quoted: '{match['sign']}'")
        else:
            yield "literal", match["sign"]


def _part(letters: str) -> tuple[str, str]:
    letter, count = letters[0], len(letters)
    for table in (_NUMBERS, _TEXTS):
        part, regexes = table.get(letter, ("", {}))
        if count in regexes:
            return part, regexes[count]
    if letter in _WRONG:
        raise ValueError(f"the part {letters} {_WRONG[letter]}")
    if letter in _NUMBERS or letter in _TEXTS:
        raise ValueError(f"the part {letters} has a number of letters that is not supported")
    raise ValueError(f"the text {letters} is no part of a time and must be quoted: '{letters}'")


def _add_literal(done: _Translation, literal: str) -> None:
    # Digits are a part of their own: texts are matched with every digit replaced by 0.
    for piece in re.findall(r"[0-9]+|[^0-9]+", literal):
        if piece[0].isascii() and piece.isdigit():
            done.add(f"literal_{piece}_", rf"\d{{{len(piece)}}}")
        else:
            done.regex += re.escape(piece)


def _require_a_date(parts: list[tuple[str, int]]) -> None:
    names = {part for part, _ in parts}
    # Of zones the first counts: +0100 (CET).
    always = [part for part, depth in parts if depth == 0 and part in _ONCE]
    twice = next((part for part in always if always.count(part) > 1), None)
    if twice is not None:
        hint = "; mm are minutes" if twice == "month" else "; MM is the month" * (twice == "minute")
        raise ValueError(f"has the {twice.replace('_', ' ')} twice{hint}")
    if not names & {"year", "year_of_century"}:
        raise ValueError("has no year (yyyy)")
    months = names & {"month", "month_name"}
    if "day_of_year" in names:
        if months or "day" in names:
            raise ValueError("the part D is the day of the year; write dd for the day of the month")
    elif not months:
        raise ValueError("has no month (MM)" + "; mm are minutes" * ("minute" in names))
    elif "day" not in names:
        raise ValueError("has no day (dd)")
    if names & {"clock_half_hour", "half_hour"} and "half" not in names:
        raise ValueError(
            "the part hh counts to 12 and needs a for AM or PM; write HH to count to 24"
        )
    if names & {"minute", "second", "fraction", "half"} and not names & _HOURS:
        raise ValueError("has a time of day without an hour (HH)")
