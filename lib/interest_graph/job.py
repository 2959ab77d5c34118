"""A job (declaration) and a run (one execution of a job)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from interest_graph import tables
from interest_graph.config import Settings
from interest_graph.contract import Table
from interest_graph.delta_log import ABSENT, TableState
from interest_graph.errors import MissingTableError
from interest_graph.filesystem import absolute
from interest_graph.handover import Handover
from interest_graph.identity import digest, library_version
from interest_graph.progress import phase
from interest_graph.store import Store


@dataclass(frozen=True)
class Job:
    """The declaration of a job; interest_graph.registry collects those of interest_graph.jobs.

    help: what it does, in one line; run: the function that does it; reads: tables that must exist;
    optional: tables that are read if they exist; writes: tables, which no other job writes;
    settings: sections of the configuration that decide the result; after: jobs that run-all runs
    before it; is_stage: whether run-all runs it; always: run also when inputs and settings have not
    changed, for a job that finds out itself what is new; is_light: Java has little to do, because
    kernels do the work; is_missing: whether a result that is not a table, such as a file, no longer
    exists.
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
    is_light: bool = False
    is_missing: Callable[[Run], bool] = lambda _run: False


@dataclass
class Run:
    """One execution of a job, with its own id, pinned inputs and counters for ops.runs.

    as_of: events after it are ignored (UTC); inputs: state of each table that the job reads, at the
    start of the run; rows: counters by name; force: whether the user asked for a run in any case;
    handover: of a run of all stages.
    """

    job: Job
    settings: Settings
    spark: SparkSession
    as_of: datetime
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    inputs: dict[str, TableState] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    force: bool = False
    handover: Handover | None = None

    def __post_init__(self) -> None:
        self.store = Store(self.spark, self.settings.warehouse, self.run_id)
        self.pin()

    @property
    def root(self) -> str:
        """The folder or URL of the tables, where the job keeps its other files too."""
        return absolute(self.spark, self.settings.warehouse.table_root)

    @property
    def input_versions(self) -> dict[str, int]:
        """Table name -> pinned Delta version, of the tables that the run reads."""
        return {name: state.version for name, state in self.inputs.items()}

    @property
    def input_identities(self) -> dict[str, str]:
        """Table name -> identity of its data, of the tables that the run reads."""
        return {name: state.identity for name, state in self.inputs.items()}

    def pin(self) -> None:
        """Pin the inputs: `read` returns the tables as they are now, whatever is written later."""
        states = {table.name: self.store.state(table) for table in self.job.reads}
        optional = {table.name: self.store.state(table) for table in self.job.optional}
        present = {name: state for name, state in optional.items() if state.version >= 0}
        self.inputs = states | present

    def read(self, table: Table) -> DataFrame:
        """The table as it was when the inputs were pinned, by default at the start of the run.

        A table that is no input of the job is read in its newest version. Raises MissingTableError.
        """
        if not self._is_there(table):
            raise MissingTableError(table.name, table.writer)
        pinned = self.inputs.get(table.name)
        return self.store.read(table, pinned.version if pinned else None)

    def read_if_written(self, table: Table) -> DataFrame | None:
        """The table as `read` returns it, or None if it was not written when inputs were pinned."""
        return self.read(table) if self._is_there(table) else None

    def _is_there(self, table: Table) -> bool:
        """Whether there is the table; an input that was written after the start is not there."""
        if table in (*self.job.reads, *self.job.optional):
            return self.inputs.get(table.name, ABSENT).version >= 0
        return self.store.exists(table)

    def last_success(self) -> dict[str, Any] | None:
        """The row of ops.runs of the job's last successful run; None without any."""
        runs = self.store.read_rows(tables.RUNS)
        mine = runs.filter((pc.field("job") == self.job.name) & (pc.field("status") == "succeeded"))
        return max(mine.to_pylist(), key=lambda row: row["started_ts"], default=None)

    def count(self, name: str, n_rows: int) -> None:
        """Record a number of rows under a name, for ops.runs and the printed summary."""
        self.rows[name] = int(n_rows)

    @contextmanager
    def phase(self, title: str) -> Iterator[Callable[[str], None]]:
        """Show progress under a title during the block; yields a function that shows a text."""
        with phase(self.spark, title) as report:
            yield report

    def result(self) -> str:
        """Digest of the data of the tables that the job writes, as they are now."""
        written = {table.name: self.store.state(table).identity for table in self.job.writes}
        return digest(written, 12)

    def fingerprint(self) -> str:
        """Digest of what decides the result: settings, as-of time, input data, library version."""
        sections = self.settings.model_dump(mode="json", include=set(self.job.settings))
        decisive = {
            "sections": sections,
            "as_of": self.as_of.isoformat(),
            "inputs": self.input_identities,
            "library": library_version(),
        }
        return digest(decisive)
