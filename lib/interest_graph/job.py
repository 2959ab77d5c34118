"""What a job is: its declaration, and one execution of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from pyspark.sql import DataFrame, SparkSession

from interest_graph.config import Settings
from interest_graph.contract import Table
from interest_graph.delta_log import ABSENT, TableState
from interest_graph.errors import MissingTableError
from interest_graph.filesystem import absolute
from interest_graph.identity import digest, library_version
from interest_graph.progress import phase
from interest_graph.store import Store


@dataclass(frozen=True)
class Job:
    """A job's declaration; interest_graph.registry finds those of the package jobs.

    help: one line of what it does; reads: tables that must exist; optional: tables read where they
    exist; writes: tables that no other job writes; settings: configuration sections that shape the
    result; after: jobs that run-all runs before it; is_stage: whether run-all runs it at all;
    always: run even when inputs and settings are those of the last run (for a job that keeps its
    own ledger); is_missing: whether a product outside the tables has gone.
    """

    name: str
    help: str
    run: Callable[[Run], None]
    reads: tuple[Table, ...] = ()
    optional: tuple[Table, ...] = ()
    writes: tuple[Table, ...] = ()
    settings: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    is_stage: bool = False
    always: bool = False
    is_missing: Callable[[Run], bool] = lambda _run: False


@dataclass
class Run:
    """One execution of a job: what it works with, and what its record in ops.runs will say.

    inputs: the tables read, as they were when the run started; rows: counters by name.
    """

    job: Job
    settings: Settings
    spark: SparkSession
    as_of: datetime
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    inputs: dict[str, TableState] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = Store(self.spark, self.settings.warehouse, self.run_id)
        self.pin()

    @property
    def root(self) -> str:
        """The folder or URL under which everything beside the tables is kept."""
        return absolute(self.settings.warehouse.table_root)

    @property
    def input_versions(self) -> dict[str, int]:
        """Delta versions of the tables that the run reads."""
        return {name: state.version for name, state in self.inputs.items()}

    @property
    def input_identities(self) -> dict[str, str]:
        """Identities of the data of the tables that the run reads."""
        return {name: state.identity for name, state in self.inputs.items()}

    def pin(self) -> None:
        """Read the inputs as they are now, from here on."""
        states = {table.name: self.store.state(table) for table in self.job.reads}
        optional = {table.name: self.store.state(table) for table in self.job.optional}
        present = {name: state for name, state in optional.items() if state.version >= 0}
        self.inputs = states | present

    def read(self, table: Table) -> DataFrame:
        """The table: an input as of the start of the run, another one as it is now.

        Raises MissingTableError.
        """
        if not self._is_there(table):
            raise MissingTableError(table.name, table.writer)
        pinned = self.inputs.get(table.name)
        return self.store.read(table, pinned.version if pinned else None)

    def read_if_written(self, table: Table) -> DataFrame | None:
        """The table as `read` gives it, or None when no job has written it."""
        return self.read(table) if self._is_there(table) else None

    def _is_there(self, table: Table) -> bool:
        """Whether there is the table; an input that was written after the start is not there."""
        if table in (*self.job.reads, *self.job.optional):
            return self.inputs.get(table.name, ABSENT).version >= 0
        return self.store.exists(table)

    def count(self, name: str, n_rows: int) -> None:
        """Record a row count for ops.runs and the summary."""
        self.rows[name] = int(n_rows)

    @contextmanager
    def phase(self, title: str) -> Iterator[Callable[[str], None]]:
        """Show what is going on while the block runs; gives a function that adds to the title."""
        with phase(self.spark, title) as tell:
            yield tell

    def result(self) -> str:
        """Digest of the data of the tables that the job writes, as they are now."""
        written = {table.name: self.store.state(table).identity for table in self.job.writes}
        return digest(written, 12)

    def fingerprint(self) -> str:
        """Digest of all that decides the result: settings, as-of, input data, library version."""
        sections = self.settings.model_dump(mode="json", include=set(self.job.settings))
        decisive = {
            "sections": sections,
            "as_of": self.as_of.isoformat(),
            "inputs": self.input_identities,
            "library": library_version(),
        }
        return digest(decisive)
