"""A run of one job: what it reads and writes, its record in ops.runs, and whether it must run."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import structlog
from pyspark.sql import DataFrame, Row, SparkSession
from rich.table import Table as RichTable

from interest_graph import tables
from interest_graph.config import Settings, load_settings
from interest_graph.contract import Table
from interest_graph.errors import InterestGraphError
from interest_graph.memory import PeakMemory
from interest_graph.progress import console, phase
from interest_graph.session import open_session
from interest_graph.store import Store, absolute, require_writable


@dataclass(frozen=True)
class Step:
    """A job's declaration.

    settings: configuration sections that shape the result; optional: tables read where they
    exist; always: run even when inputs and settings are those of the last run (for a job that
    keeps its own ledger); is_missing: whether a product outside the tables has gone.
    """

    name: str
    run: Callable[[Job], None]
    reads: tuple[Table, ...] = ()
    optional: tuple[Table, ...] = ()
    writes: tuple[Table, ...] = ()
    settings: tuple[str, ...] = ()
    always: bool = False
    is_missing: Callable[[Job], bool] = lambda _job: False


@dataclass
class Job:
    """What a step works with: settings, tables, the as-of time, and counters for its record."""

    settings: Settings
    spark: SparkSession
    as_of: datetime
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    rows: dict[str, int] = field(default_factory=dict)
    input_versions: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = Store(self.spark, self.settings.warehouse, self.run_id)

    @classmethod
    def open(
        cls,
        config: str | Path | Sequence[str | Path],
        *,
        overrides: Sequence[str] = (),
        as_of: datetime | None = None,
        spark_settings: dict[str, str] | None = None,
        verbose: bool = False,
    ) -> Job:
        """Open a job from a YAML file, for notebooks and the command line.

        Of several files a later one overrides those before it. Settings are validated, and the
        warehouse is tried, before Spark starts.
        """
        settings = load_settings(config, overrides)
        root = settings.warehouse.table_root
        if settings.warehouse.catalog is None:
            require_writable(root)
        checkpoints = f"{absolute(root)}/_checkpoints"
        spark = open_session(
            settings.project, checkpoint_root=checkpoints, settings=spark_settings, verbose=verbose
        )
        # The only place that reads the clock: stages get the time as a parameter.
        moment = as_of or settings.as_of or datetime.now(UTC).replace(microsecond=0)
        return cls(settings, spark, _as_utc(moment))

    def read(self, table: Table) -> DataFrame:
        """The table as of the start of the run. Raises MissingTableError."""
        return self.store.read(table, self.input_versions.get(table.name))

    def read_if_written(self, table: Table) -> DataFrame | None:
        """The table, or None when no job has written it."""
        return self.read(table) if self.store.exists(table) else None

    def count(self, name: str, n_rows: int) -> None:
        """Record a row count for ops.runs and the summary."""
        self.rows[name] = int(n_rows)

    @contextmanager
    def phase(self, title: str) -> Iterator[Callable[[str], None]]:
        """Show what is going on while the block runs; gives a function that adds to the title."""
        with phase(self.spark, title) as tell:
            yield tell


def run_step(job: Job, step: Step, *, force: bool = False) -> bool:
    """Run `step` unless its inputs and settings are those of its last run; True if it ran.

    Every run, failed ones included, becomes a row of ops.runs.
    """
    job.input_versions = {t.name: job.store.version(t) for t in step.reads}
    optional = {t.name: job.store.version(t) for t in step.optional}
    job.input_versions |= {name: v for name, v in optional.items() if v >= 0}
    fingerprint = _fingerprint(job, step)
    if not (force or step.always) and _is_up_to_date(job, step, fingerprint):
        console.print(f"{step.name}: up to date")
        return False
    _run_recorded(job, step, fingerprint)
    return True


def _as_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _fingerprint(job: Job, step: Step) -> str:
    """Digest of all that decides the result: settings, as-of, input versions, library version."""
    sections = job.settings.model_dump(mode="json", include=set(step.settings))
    decisive = {
        "sections": sections,
        "as_of": job.as_of.isoformat(),
        "inputs": job.input_versions,
        "library": version("interest-graph"),
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def _is_up_to_date(job: Job, step: Step, fingerprint: str) -> bool:
    if not job.store.exists(tables.RUNS):
        return False
    runs = job.store.read(tables.RUNS).where("status = 'succeeded'")
    last = runs.where(runs.job == step.name).orderBy(runs.started_ts.desc()).first()
    written = {t.name: job.store.version(t) for t in step.writes}
    is_same = last is not None and last.fingerprint == fingerprint and last.writes == written
    return is_same and not step.is_missing(job)


def _run_recorded(job: Job, step: Step, fingerprint: str) -> None:
    started, clock = datetime.now(UTC), time.monotonic()
    job.rows = {}
    error: BaseException | None = None
    with PeakMemory() as memory:
        try:
            step.run(job)
        except BaseException as failure:  # recorded, then raised again
            error = failure
    record = Row(
        run_id=job.run_id,
        job=step.name,
        status="failed" if error else "succeeded",
        as_of=job.as_of,
        started_ts=started,
        seconds=round(time.monotonic() - clock, 3),
        peak_memory_mb=round(memory.megabytes, 1),
        rows=job.rows,
        reads=job.input_versions,
        writes={} if error else {t.name: job.store.version(t) for t in step.writes},
        fingerprint=fingerprint,
        error=one_line(error) if error else None,
    )
    _finish(job, record, error)


def _finish(job: Job, record: Row, error: BaseException | None) -> None:
    try:
        frame = job.spark.createDataFrame([record], tables.RUNS.schema)
        job.store.append(tables.RUNS, frame)
    except Exception as failure:
        # The first error matters more than a record that could not be kept.
        if error is None:
            raise
        structlog.get_logger().warning("run not recorded", problem=one_line(failure))
    if error is not None:
        raise error
    _summarise(record)


def _summarise(record: Row) -> None:
    """A table for people; one JSON line for machines."""
    grid = RichTable(title=f"{record.job}: {record.seconds:.1f} s", title_justify="left")
    grid.add_column("rows")
    grid.add_column("count", justify="right")
    for name, count in record.rows.items():
        grid.add_row(name, f"{count:,}")
    if record.rows:
        console.print(grid)
    else:
        console.print(grid.title)
    shown = ("run_id", "job", "status", "seconds", "peak_memory_mb", "rows", "writes")
    structlog.get_logger().info("run", **{name: record[name] for name in shown})


def one_line(error: BaseException) -> str:
    """What went wrong, on one line without a JVM stack trace."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    detail = lines[0] if lines else type(error).__name__
    if isinstance(error, InterestGraphError):
        return " ".join(lines)
    caused = [line for line in lines if line.startswith("Caused by:")]
    return f"{type(error).__name__}: {caused[-1] if caused else detail}"[:500]
