"""Paths of input files without a file system: patterns, the form of URIs, columns of folders.

Patterns are Hadoop's: * and ? match within a name, [a-c] and [^a-c] one character, {a,b} either of
several texts, which may hold slashes, and a backslash takes the next character as it is.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from urllib.parse import unquote

from interest_graph.errors import DataError

_WILDCARD = re.compile(r"(?<!\\)(?:\\\\)*[*?\[{]")
_SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*):(?=/)(?://[^/]*)?")
_NULL = "__HIVE_DEFAULT_PARTITION__"
# What java.net.URI leaves as it is in a path, beside letters, digits and other scripts.
_PLAIN_IN_URI = frozenset("_-!.~'()*,;:$&+=/@")


def expanded(pattern: str) -> list[str]:
    """The patterns without braces that a pattern stands for: a{b,c} is ab and ac.

    Raises DataError where a brace is not closed.
    """
    opening = _first(pattern, "{")
    if opening is None:
        return [pattern]
    depth, start, options = 0, opening + 1, []
    for index, char in _unescaped(pattern, opening):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth == 0 or (depth == 1 and char == ","):
            options.append(pattern[start:index])
            start = index + 1
        if depth == 0:
            ends = [pattern[:opening] + option + pattern[start:] for option in options]
            return [text for end in ends for text in expanded(end)]
    raise DataError(f"{pattern} has a brace that is not closed")


def has_wildcard(name: str) -> bool:
    """Whether a name of a pattern stands for more than one name."""
    return _WILDCARD.search(name) is not None


def literal(name: str) -> str:
    """The name that a pattern without wildcards stands for."""
    return re.sub(r"\\(.)", r"\1", name, flags=re.DOTALL)


def escaped(path: str) -> str:
    """The pattern that stands for this path alone."""
    return re.sub(r"([*?\[\]{}\\])", r"\\\1", path)


def absolute(pattern: str) -> str:
    """The pattern of a local path from the root folder on."""
    return pattern if pattern.startswith("/") else f"{escaped(os.getcwd())}/{pattern}"


def name_matcher(name: str) -> re.Pattern[str]:
    """The regular expression of one name of a pattern without braces, to be used by fullmatch.

    Raises DataError where a bracket is not closed or holds a range that runs backwards.
    """
    regex, index = "", 0
    while index < len(name):
        char = name[index]
        if char == "[":
            end = _closing_bracket(name, index)
            regex += _character_class(name[index + 1 : end])
            index = end
        elif char == "\\" and index + 1 < len(name):
            index += 1
            regex += re.escape(name[index])
        else:
            regex += {"*": "[^/]*", "?": "[^/]"}.get(char, re.escape(char))
        index += 1
    try:
        return re.compile(regex, re.DOTALL)
    except re.error:
        raise DataError(f"{name} is no pattern of names") from None


def is_hidden(name: str) -> bool:
    """Whether readers of data lakes pass over the name: logs, markers, files being written."""
    return name.startswith(("_", "."))


def split_scheme(path: str) -> tuple[str, str]:
    """Scheme with the host, empty if there is none, and the path: s3a://bucket, /a."""
    match = _SCHEME.match(path)
    return (match[0], path[match.end() :]) if match else ("", path)


def file_uri(path: str) -> str:
    """The URI of an absolute local path as Hadoop writes it: file:/a%20b."""
    return f"file:{uri_path(path)}"


def uri_path(path: str) -> str:
    """The path, percent-encoded as by Java's URI: letters of all scripts stay as they are."""
    return "".join(char if _stays(char) else _percent_encoded(char) for char in path)


def folder_columns(path: str, root: str) -> dict[str, str | None]:
    """Columns that the folders between a source's root and a file name in the way of Hive.

    path: of the file; with a scheme, a URI as it is listed. root: path or pattern of the source.
    Of dt=2024-05-01/hour=03/a=b.csv: dt and hour; the default partition of Hive is null.
    """
    folders = _below(path, root)[:-1]
    pairs = [folder.split("=", 1) for folder in folders if "=" in folder]
    return {
        unquote(name): None if value == _NULL else unquote(value) for name, value in pairs if name
    }


def _below(path: str, root: str) -> list[str]:
    """Names of the path after the part of the root that has no wildcards."""
    scheme, plain = split_scheme(path)
    names = _names(unquote(plain) if scheme else plain)
    start = _literal_names(root)
    if names[: len(start)] == start:
        return names[len(start) :]
    # A relative root, of a file system whose working directory is not this process's.
    relative = [] if root.startswith("/") or split_scheme(root)[0] else _relative_names(root)
    places = range(len(names) - len(relative)) if relative else ()
    found = [n for n in places if names[n : n + len(relative)] == relative]
    return names[found[0] + len(relative) :] if found else []


def _literal_names(root: str) -> list[str]:
    scheme, plain = split_scheme(root)
    return _relative_names(plain if scheme else absolute(plain))


def _relative_names(root: str) -> list[str]:
    names = []
    for name in _names(posixpath.normpath(root)):
        if has_wildcard(name):
            break
        names.append(literal(name))
    return names


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in ("", ".")]


def _unescaped(pattern: str, start: int = 0) -> Iterator[tuple[int, str]]:
    """Index and character of what a backslash does not protect, nor brackets."""
    index, in_brackets = start, False
    while index < len(pattern):
        char = pattern[index]
        if char == "\\":
            index += 1
        elif in_brackets:
            in_brackets = char != "]"
        else:
            in_brackets = char == "["
            yield index, char
        index += 1


def _first(pattern: str, wanted: str) -> int | None:
    return next((index for index, char in _unescaped(pattern) if char == wanted), None)


def _closing_bracket(name: str, opening: int) -> int:
    # A bracket that comes first is one of the characters.
    first = opening + 2 if name[opening + 1 : opening + 2] in ("^", "!") else opening + 1
    end = name.find("]", first + 1)
    if end < 0:
        raise DataError(f"{name} has a bracket that is not closed")
    return end


def _character_class(content: str) -> str:
    negated = content[:1] in ("^", "!")
    chars = content[1:] if negated else content
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", re.sub(r"\\(.)", r"\1", chars))
    return f"[{'^/' if negated else ''}{escaped}]"


def _stays(char: str) -> bool:
    if char < "\x80":
        return char.isalnum() or char in _PLAIN_IN_URI
    return not (char.isspace() or "\x80" <= char <= "\x9f")


def _percent_encoded(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))
