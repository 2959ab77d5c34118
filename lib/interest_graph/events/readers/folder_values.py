"""Columns that the names of folders give (dt=2024-05-01) to the records of files of any format."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interest_graph.config import SourceConfig


def folder_of(name: str, folders: Mapping[str, str | None]) -> str | None:
    """The folder column of that name, or the only one whose name differs in case alone."""
    if name in folders:
        return name
    alike = [folder for folder in folders if folder.lower() == name.lower()]
    return alike[0] if len(alike) == 1 else None


def optional_where_given(source: SourceConfig, folders: Mapping[str, str | None]) -> SourceConfig:
    """The source whose files may lack the columns that the folders give."""
    given = [column for column, name in source.columns.items() if folder_of(name, folders)]
    return source.model_copy(update={"optional": [*source.optional, *given]}) if given else source


def with_folder_values(
    records: pa.Table, source: SourceConfig, folders: Mapping[str, str | None]
) -> pa.Table:
    """The records with the folders' values where they have none; what a file says goes before.

    Records that are not readable stay without values.
    """
    for column, name in source.columns.items():
        folder = folder_of(name, folders)
        value = None if folder is None else folders[folder]
        if value is not None:
            given = pc.if_else(records["is_readable"], pa.scalar(value, pa.string()), None)
            values = pc.coalesce(records[column], given)
            index = records.schema.get_field_index(column)
            records = records.set_column(index, records.schema.field(index), values)
    return records


def constant(value: str | None, n_rows: int) -> pa.StringArray:
    """A column of one text."""
    return pa.array([value], pa.string()).take(pa.array(np.zeros(n_rows, dtype=np.int32)))
