"""What a mapping leaves over, as JSON: columns of text to objects, without a loop over rows."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def as_json_objects(columns: Mapping[str, pa.Array], n_rows: int) -> pa.Array:
    """One JSON object a row, of those fields that are not null; null where there is none."""
    fields = [_field(name, column) for name, column in columns.items()]
    if not fields:
        return pa.nulls(n_rows, pa.string())
    # Without the first "", Arrow drops rows of nulls alone.
    joined = pc.binary_join_element_wise("", *fields, "", null_handling="skip")
    objects = pc.binary_join_element_wise(pc.binary_replace_slice(joined, 0, 1, "{"), "}", "")
    return pc.if_else(pc.equal(joined, ""), pa.scalar(None, pa.string()), objects)


def _field(name: str, column: pa.Array) -> pa.Array:
    key = f',{json.dumps(name, ensure_ascii=False)}:"'
    return pc.binary_join_element_wise(key, _escaped(column), '"', "")


def _escaped(column: pa.Array) -> pa.Array:
    data = column.buffers()[2]
    if data is None:
        return column
    text = np.frombuffer(data, np.uint8)
    special = np.unique(text[(text < 32) | (text == 34) | (text == 92)])
    # The backslash first: the others bring new ones.
    for code in sorted(special.tolist(), reverse=True):
        sign = chr(code)
        column = pc.replace_substring(column, sign, json.dumps(sign)[1:-1])
    return column
