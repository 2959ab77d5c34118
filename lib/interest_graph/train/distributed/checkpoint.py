"""Rounds on disk: a killed driver goes on after the last finished one."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interest_graph.arrays import Arrays, load_arrays, save_arrays


@dataclass(frozen=True)
class Checkpoints:
    """The rounds of one training run in a folder.

    A round is its shards' rows (written by Spark), its item arrays (safetensors) and a record in
    progress.json, which is replaced in one step: a round counts once it is recorded there.
    fingerprint: digest of all that decides the result; rounds of another one are not resumed.
    """

    folder: Path
    fingerprint: str

    def shards_path(self, number: int) -> str:
        """Where Spark writes the rows of the shards."""
        return str(self.folder / f"round-{number:05d}" / "shards")

    def items(self, number: int) -> Arrays:
        """The item arrays of a round."""
        return load_arrays(self._items_path(number))

    def commit(self, number: int, items: Arrays, record: dict[str, Any]) -> None:
        """Make round `number` the one to resume from."""
        self._items_path(number).parent.mkdir(parents=True, exist_ok=True)
        save_arrays(self._items_path(number), items)
        self.record({**record, "last": number})

    def record(self, progress: dict[str, Any]) -> None:
        """Replace progress.json."""
        part = self.folder / "progress.json.part"
        part.write_text(json.dumps({**progress, "fingerprint": self.fingerprint}, indent=1))
        part.replace(self.folder / "progress.json")

    def resume(self) -> dict[str, Any] | None:
        """What was recorded with the last finished round; None when there is nothing to resume."""
        path = self.folder / "progress.json"
        if path.exists():
            progress: dict[str, Any] = json.loads(path.read_text())
            if progress["fingerprint"] == self.fingerprint:
                return progress
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        return None

    def forget_all_but(self, *numbers: int) -> None:
        """Delete the other rounds' files."""
        kept = {f"round-{number:05d}" for number in numbers}
        for path in self.folder.glob("round-*"):
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)

    def _items_path(self, number: int) -> Path:
        return self.folder / f"round-{number:05d}" / "items.safetensors"
