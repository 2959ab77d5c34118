"""Identity by content: digests of all that decides a result, the same for the same result."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import interest_graph


def digest(content: Any, length: int | None = None) -> str:
    """SHA-256 of the content's JSON with sorted keys, in hexadecimal digits.

    content: anything that JSON can hold. length: number of digits, None for all 64. Twelve are
    enough for names: among a million, two are equal with probability 0.002.
    """
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def library_version() -> str:
    """Version of the library; part of a digest whose result may change with the code."""
    return interest_graph.__version__
