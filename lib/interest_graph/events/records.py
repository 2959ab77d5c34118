"""Records as received: the Arrow table that every reader gives, whatever the format of the file.

Columns: position, length (BIGINT), is_readable, payload, then one text column for each mapped name.
position: of a text file, the offset of the record's first byte in the file's text, decompressed and
in UTF-8; of a table's file, the number of the row. length: bytes of the record, line end excluded;
of a row of a table, null. payload: what the mapping leaves over as a JSON object, null if nothing
is left; of a record that is not readable, its raw text. Values keep the text that they were
received in; lists are JSON arrays, objects JSON objects; a missing value is null.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

MAX_ID_LENGTH = 512  # characters; longer ids are run-together lines
FIXED = (
    ("position", pa.int64()),
    ("length", pa.int64()),
    ("is_readable", pa.bool_()),
    ("payload", pa.string()),
)


@dataclass(frozen=True)
class Layout:
    """What the start of a file tells about the rest of it; found once, before anything is read.

    columns: the names of the columns in their order, of formats that have such an order; is_whole:
    whether the file can only be read from its start, in one piece; folders: columns that the names
    of its folders give (dt=2024-05-01), null for Hive's default partition.
    """

    columns: tuple[str, ...] = ()
    is_whole: bool = False
    folders: Mapping[str, str | None] = field(default_factory=dict)


def schema_of(columns: Iterable[str]) -> pa.Schema:
    """The schema of records with these mapped columns."""
    return pa.schema([*FIXED, *[(column, pa.string()) for column in columns]])


def constant(text: str, n: int) -> pa.DictionaryArray:
    """A column of one text, n rows long."""
    return pa.DictionaryArray.from_arrays(np.zeros(n, np.int32), pa.array([text], pa.string()))


def readable(raw: bytes) -> str:
    r"""The bytes as text that any reader of tables can read; what is not UTF-8 becomes \xNN."""
    return raw.decode("utf-8", "backslashreplace")
