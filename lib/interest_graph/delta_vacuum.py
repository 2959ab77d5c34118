"""Removes files of a Delta table on a local disk that no version within the retention time needs.

What VACUUM does, without its Spark jobs: for a small table they take seconds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from interest_graph.delta_state import DeltaState


def vacuum_folder(folder: Path, state: DeltaState, *, hours: float) -> int:
    """Remove the files that left the table, or were never in it, more than `hours` ago.

    Files that were written since stay: a run may be about to commit them. Returns how many went.
    """
    oldest = time.time() - hours * 3600
    needed = {file.path for file in state.files}
    needed |= {path for path, moment in state.removed.items() if moment / 1000 > oldest}
    found = [(path, path.relative_to(folder).as_posix()) for path in _files_in(folder)]
    old = [path for path, name in found if name not in needed and path.stat().st_mtime < oldest]
    for path in old:
        path.unlink()
        path.with_name(f".{path.name}.crc").unlink(missing_ok=True)
        _remove_empty(path.parent, folder)
    return len(old)


def _files_in(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        yield from (Path(place) / name for name in names if not _is_hidden(name))


def _remove_empty(place: Path, folder: Path) -> None:
    """Remove a partition's folder, and those above it, in which nothing is left."""
    while place != folder:
        try:
            place.rmdir()
        except OSError:  # it holds other files
            return
        place = place.parent


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "_"))
