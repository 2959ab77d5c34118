"""One JSON object read by Python, number texts kept: slow, for the few that DuckDB would rewrite.

Of a key that is there twice the last value counts. Also read here: what is nested so deep that
recursive code could exhaust its stack, as Python stops in time; and fields of an object that is
given as JSON text within JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

# Suite columns that name things: 501.0 and 501 are the same user.
ID_COLUMNS = frozenset({"event_id", "user_id", "item_id", "friend_id"})

_MOST_DIGITS = 100  # 1e400 is no id that anybody wrote out
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_STRING_OR_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])')


class Number(str):
    """The text of a JSON number, NaN and Infinity included."""


_DECODER = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=Number)


def parse_object(text: str) -> dict[str, Any] | None:
    """The object, as decode gives it; None if the text is not one JSON object.

    Half a surrogate pair is no text.
    """
    value = decode(text)
    is_text = not _SURROGATE.search(text) or _is_unicode(value)
    return value if isinstance(value, dict) and is_text else None


def has_key_twice(text: str) -> bool:
    """Whether any object in the JSON text holds a key twice."""
    found = False

    def look_at(members: list[tuple[str, Any]]) -> None:
        nonlocal found
        found = found or len(dict(members)) < len(members)

    try:
        json.loads(_STRING_OR_COMMA.sub(_without_comma, text), object_pairs_hook=look_at)
    except (ValueError, RecursionError):
        return True  # to be read again, and refused then
    return found


def mapped_and_rest(
    record: Mapping[str, Any], columns: Mapping[str, str]
) -> tuple[dict[str, str | None], str | None]:
    """Texts of the mapped columns, and the fields that are not mapped as a JSON object.

    columns: suite's column -> field, or a.b for field b in object a. The second is None if every
    field is mapped. Raises RecursionError for values nested too deep.
    """
    texts = {key: _text(key, find_field(record, name)) for key, name in columns.items()}
    taken = columns.values()
    rest = {name: value for name, value in record.items() if name not in taken}
    return texts, to_json(rest) if rest else None


def find_field(record: Mapping[str, Any], name: str) -> Any:
    """The field of this very name, else the one that a.b reaches by way of objects; else None."""
    value: Any = record.get(name)
    if value is not None or "." not in name:
        return value
    value = record
    for part in name.split("."):
        if isinstance(value, str) and not isinstance(value, Number):
            value = parse_object(value)
        value = value.get(part) if isinstance(value, dict) else None
    return value


def id_text(number: str) -> str:
    """The text of a number that is an id: whole ones as integers, others unchanged."""
    if number.lstrip("-").isdigit() and number != "-0":
        return number
    value = Decimal(number)
    is_whole = value.is_finite() and value == value.to_integral_value()
    if not is_whole or value.adjusted() > _MOST_DIGITS:
        return number
    return f"{abs(value) if value == 0 else value:f}".partition(".")[0]


def to_json(value: Any) -> str:
    """Compact JSON text of a parsed value; numbers as they were written, NaN as a string."""
    if isinstance(value, Number):
        return f'"{value}"' if value[-1] in "Ny" else str(value)
    if isinstance(value, dict):
        members = (f"{_quoted(key)}:{to_json(inner)}" for key, inner in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(to_json, value)) + "]"
    return _quoted(value)


def _without_comma(match: re.Match[str]) -> str:
    return match[1] or ""


def _text(column: str, value: Any) -> str | None:
    if isinstance(value, Number):
        return id_text(value) if column in ID_COLUMNS else str(value)
    return value if value is None or isinstance(value, str) else to_json(value)


def _quoted(value: str | bool | None) -> str:
    return encode_basestring(value) if isinstance(value, str) else json.dumps(value)


def _is_unicode(value: Any) -> bool:
    try:
        to_json(value).encode()
    except UnicodeEncodeError:
        return False
    return True


def decode(text: str) -> Any:
    """The value of JSON text, with a Number for each number; None if it is no JSON.

    A comma behind the last member or element is passed over.
    """
    value = _strictly(text)
    if value is None:
        value = _strictly(_STRING_OR_COMMA.sub(_without_comma, text))
    return value


def _strictly(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except ValueError:
        return None
