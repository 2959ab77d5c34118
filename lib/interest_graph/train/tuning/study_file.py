"""The file of a study: one process at a time works on it, wherever its folder lies."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from interest_graph.errors import ConflictError
from interest_graph.folders import Folder, LocalFolder

_NAME = "study.db"


@dataclass
class StudyFile:
    """A local SQLite file, and the copy of it that outlives the process.

    seen: digest of the copy as this process last read or wrote it; null before there is one.
    """

    folder: Folder
    study: str
    seen: str | None = None

    @property
    def path(self) -> Path:
        """The local file."""
        return self.folder.local(_NAME)

    def fetch(self) -> None:
        """Take the copy over, where there is one."""
        try:
            self.seen = _digest(self.folder.fetch(_NAME).read_bytes())
        except FileNotFoundError:
            self.seen = None

    def keep(self) -> None:
        """Renew the copy. Raises ConflictError when another process has renewed it meanwhile."""
        if isinstance(self.folder, LocalFolder):
            return  # the file is its own copy, and locked
        try:
            found = _digest(self.folder.read(_NAME))
        except FileNotFoundError:
            found = None
        if found != self.seen:
            where = self.folder.path(_NAME)
            raise ConflictError(f"study {self.study}: another process works on it ({where})")
        self.seen = _digest(self.path.read_bytes())
        self.folder.put(_NAME)


@contextmanager
def open_study_file(folder: Folder, study: str) -> Iterator[StudyFile]:
    """The study's file within the block.

    Raises ConflictError while another process of this host works on a local one; for others,
    `StudyFile.keep` notices.
    """
    file = StudyFile(folder, study)
    if isinstance(folder, LocalFolder):
        with _locked(folder, study):
            yield file
    else:
        file.fetch()
        yield file


@contextmanager
def _locked(folder: LocalFolder, study: str) -> Iterator[None]:
    with folder.local("study.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel lets go of it at a kill
        except OSError:
            raise ConflictError(f"study {study}: another process works on it") from None
        yield


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
