"""Rounds in a folder: a killed driver goes on after the last finished one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from interest_graph.arrays import Arrays, load_arrays, save_arrays
from interest_graph.folders import Folder

_PROGRESS = "progress.json"
_LAYOUT = 2  # of the files; rounds of another one are not resumed either


@dataclass(frozen=True)
class Checkpoints:
    """The rounds of one training run in a folder, local or on an object store.

    A round is its shards' rows (written by Spark, maybe with those of a later round), its item
    arrays (safetensors) and a record in progress.json, which is replaced in one step: a round
    counts once it is recorded there.
    fingerprint: digest of all that decides the result; rounds of another one are not resumed.
    """

    folder: Folder
    fingerprint: str

    def shards_path(self, number: int) -> str:
        """Where Spark writes the rows of the shards."""
        return self.folder.path(f"{_round(number)}/shards")

    def items(self, number: int) -> Arrays:
        """The item arrays of a round."""
        return load_arrays(self.folder.fetch(_items_of(number)))

    def commit(self, items: Mapping[int, Arrays], record: dict[str, Any]) -> None:
        """Make round record["last"] the one to resume from; items: by round, stored before."""
        for number, arrays in items.items():
            save_arrays(self.folder.local(_items_of(number)), arrays)
            self.folder.put(_items_of(number))
        self.record(record)

    def record(self, progress: dict[str, Any]) -> None:
        """Replace progress.json."""
        marks = {"fingerprint": self.fingerprint, "layout": _LAYOUT}
        text = json.dumps({**progress, **marks}, indent=1)
        self.folder.write(_PROGRESS, text.encode())

    def resume(self) -> dict[str, Any] | None:
        """What was recorded with the last finished round; None when there is nothing to resume."""
        progress = self._recorded()
        marks = progress.get("fingerprint"), progress.get("layout")
        if marks == (self.fingerprint, _LAYOUT):
            return progress
        self.folder.delete()
        return None

    def forget_all_but(self, *numbers: int) -> None:
        """Delete the other rounds' files."""
        kept = {_round(number) for number in numbers}
        for name in self.folder.names():
            if name.startswith("round-") and name not in kept:
                self.folder.delete(name)

    def _recorded(self) -> dict[str, Any]:
        """What progress.json holds; nothing where it is absent or cannot be read."""
        try:
            progress = json.loads(self.folder.read(_PROGRESS))
        except (FileNotFoundError, ValueError):
            return {}
        return progress if isinstance(progress, dict) else {}


def _round(number: int) -> str:
    return f"round-{number:05d}"


def _items_of(number: int) -> str:
    return f"{_round(number)}/items.safetensors"
