"""Names by content: digests of all that decides a result, so that equal work has equal names."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import interest_graph


def digest(content: Any, length: int | None = None) -> str:
    """SHA-256 of the content's JSON with sorted keys, in hexadecimal digits.

    content: anything that JSON takes. length: how many digits; null for all 64. Twelve are enough
    for a name: a million of them collide with probability 0.002.
    """
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def library_version() -> str:
    """The library's version, which is part of whatever a change of code may change."""
    return interest_graph.__version__
