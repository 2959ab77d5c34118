"""A pipeline: settings, Spark session and tables of one project; it runs and records jobs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog
from pyspark.sql import DataFrame, Row, SparkSession
from rich.table import Table as RichTable

from interest_graph import doctor, tables
from interest_graph.config import Settings, load_settings
from interest_graph.contract import Table
from interest_graph.errors import ConfigError, one_line
from interest_graph.events.kernel_frames import warm_up
from interest_graph.handover import Handover
from interest_graph.job import Job, Run
from interest_graph.memory import PeakMemory
from interest_graph.progress import console
from interest_graph.registry import find_job, stages
from interest_graph.session import has_session, job_settings, open_session, set_checkpoint_folder
from interest_graph.small_tables import rows_of
from interest_graph.store import Store
from interest_graph.table_root import prepare_root, try_before_start


class Pipeline:
    """Settings, Spark session and tables of one project; runs jobs on them.

    as_of: runs ignore all events after this time (UTC).
    """

    def __init__(self, settings: Settings, spark: SparkSession, as_of: datetime) -> None:
        self.settings, self.spark, self.as_of = settings, spark, _as_utc(as_of)
        self.store = Store(spark, settings.warehouse)
        self.last_run: Run | None = None

    @classmethod
    def open(
        cls,
        config: str | Path | Sequence[str | Path],
        *,
        overrides: Sequence[str] = (),
        as_of: datetime | None = None,
        spark_settings: dict[str, str] | None = None,
        verbose: bool = False,
        is_light: bool = False,
    ) -> Pipeline:
        """Open a pipeline from a YAML file, for notebooks and the command line.

        config: one file or several, of which later ones override earlier ones; overrides: settings
        such as "graph.min_weight=0.1", which override the files; as_of: by default that of the
        settings, else the present time; spark_settings: Spark configuration of a new session;
        is_light: which then is for jobs that are light, such as ingest and clean alone.
        Raises ConfigError for wrong settings or a folder that cannot be written, before Spark
        starts, and for a URL that cannot be reached, before a table is touched; EnvironmentProblem
        where the session that is there was started without Delta.
        """
        settings = load_settings(config, overrides)
        warehouse = settings.warehouse
        if warehouse.catalog is None:
            try_before_start(warehouse.table_root, spark_settings)
        name, is_new = settings.project, not has_session()
        spark = open_session(name, settings=spark_settings, verbose=verbose, is_light=is_light)
        if is_light and is_new:
            warm_up(spark)
        doctor.require(doctor.fixed_settings(spark))
        root = prepare_root(spark, warehouse.table_root)
        set_checkpoint_folder(spark, f"{root}/_checkpoints")
        # The only place that reads the clock: jobs and stages get the time as a parameter.
        moment = as_of or settings.as_of or datetime.now(UTC).replace(microsecond=0)
        return cls(settings, spark, moment)

    def run(self, job: str | Job, *, force: bool = False, handover: Handover | None = None) -> bool:
        """Run the job unless it is up to date; returns whether it ran.

        job: a declaration, or the name of a registered job. It is up to date when inputs, settings
        and results are those of its last successful run. force: run in any case; handover: between
        the jobs of a run of all stages. Every run, also a failed one, becomes a row of ops.runs;
        its error is raised again. While it runs, the session has the settings that jobs need.
        """
        job = find_job(job) if isinstance(job, str) else job
        with job_settings(self.spark):
            run = Run(job, self.settings, self.spark, self.as_of, force=force, handover=handover)
            self.last_run = run
            fingerprint = run.fingerprint()
            if not (force or job.always) and _is_up_to_date(run, fingerprint):
                console.print(f"{job.name}: up to date")
                return False
            _execute(run, fingerprint)
        return True

    def run_all(self, *, force: bool = False) -> list[str]:
        """Run all stages in order, from ingest to report; returns the names of those that ran."""
        handover = Handover()
        try:
            return [job.name for job in stages() if self.run(job, force=force, handover=handover)]
        finally:
            handover.release()

    @property
    def rows(self) -> dict[str, int]:
        """Counters of the last run by name; empty before the first."""
        return self.last_run.rows if self.last_run is not None else {}

    def read(self, table: str | Table) -> DataFrame:
        """The newest version of a table, given by its declaration or its name.

        Raises MissingTableError if it has never been written, ConfigError for an unknown name.
        """
        if isinstance(table, str):
            if table not in tables.ALL_TABLES:
                raise ConfigError(table, "unknown table", sorted(tables.ALL_TABLES))
            table = tables.ALL_TABLES[table]
        return self.store.read(table)


def _as_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _is_up_to_date(run: Run, fingerprint: str) -> bool:
    """Whether the job's last successful run had this fingerprint and its results are unchanged."""
    last = run.last_success()
    if last is None or not last["fingerprint"].startswith(fingerprint):
        return False
    is_same = last["fingerprint"] == _with_result(run, fingerprint)
    return is_same and not run.job.is_missing(run)


def _with_result(run: Run, fingerprint: str) -> str:
    """What made a result, and the result: both are the same while a job is up to date."""
    return f"{fingerprint}-{run.result()}"


def _execute(run: Run, fingerprint: str) -> None:
    """Run the job and record the run in ops.runs; an error is recorded and raised again."""
    started, clock = datetime.now(UTC), time.monotonic()
    error: BaseException | None = None
    with PeakMemory() as memory:
        try:
            run.job.run(run)
        except BaseException as failure:
            error = failure
    record = Row(
        run_id=run.run_id,
        job=run.job.name,
        status="failed" if error else "succeeded",
        as_of=run.as_of,
        started_ts=started,
        seconds=round(time.monotonic() - clock, 3),
        peak_memory_mb=round(memory.peak_mb, 1),
        rows=run.rows,
        reads=run.input_versions,
        writes={} if error else {t.name: run.store.version(t) for t in run.job.writes},
        fingerprint=fingerprint if error else _with_result(run, fingerprint),
        error=one_line(error) if error else None,
    )
    _record(run, record, error)


def _record(run: Run, record: Row, error: BaseException | None) -> None:
    try:
        row = [record[name] for name in tables.RUNS.column_names]
        run.store.append_rows(tables.RUNS, rows_of(tables.RUNS, [row]))
    except Exception as failure:
        # If the job has failed, raise its error rather than that of recording it.
        if error is None:
            raise
        structlog.get_logger().warning("run not recorded", problem=one_line(failure))
    if error is not None:
        raise error
    _summarise(record)


def _summarise(record: Row) -> None:
    """Print the counters as a table, and log one JSON line."""
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
