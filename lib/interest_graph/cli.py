"""The command line: `interest-graph <step> --config FILE`, and the spark-submit entry points."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import structlog
import typer

from interest_graph import doctor as checks
from interest_graph import tables
from interest_graph.config import load_settings
from interest_graph.errors import ConfigError, EnvironmentProblem, InterestGraphError
from interest_graph.job import Job, Step, one_line, run_step
from interest_graph.progress import console
from interest_graph.session import open_session, read_properties
from interest_graph.setup import cluster
from interest_graph.store import Store

STEPS = (
    "ingest",
    "clean",
    "featurize",
    "build_graph",
    "train",
    "recommend",
    "evaluate",
    "report",
)

_RUN_ALL_HELP = "Run every job, from files to the report, in one session."

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
cluster_app = typer.Typer(no_args_is_help=True, help="A Spark standalone cluster on this machine.")
app.add_typer(cluster_app, name="cluster")

State = Annotated[
    Path, typer.Option("--state", help="Folder for logs, process ids and spark.conf.")
]
Config = Annotated[
    list[Path],
    typer.Option("--config", "-c", help="The pipeline's YAML file; a further one overrides it."),
]
AsOf = Annotated[
    datetime | None,
    typer.Option(help="See nothing later than this (UTC); default: the YAML's, or now."),
]
Set = Annotated[
    list[str], typer.Option("--set", help="Override a setting, e.g. graph.min_weight=0.1.")
]
Properties = Annotated[
    Path | None,
    typer.Option("--properties-file", help="Spark settings, where spark-submit is not used."),
]
Force = Annotated[bool, typer.Option("--force", help="Run even when nothing has changed.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show stack traces and Spark's warnings.")]


def main() -> None:
    """Entry point of the `interest-graph` command."""
    app(prog_name="interest-graph")


def load_step(name: str) -> Step:
    """The declaration of a step, imported when needed: training pulls in torch."""
    step: Step = importlib.import_module(f"interest_graph.steps.{name}").STEP
    return step


def launch(step: Step, argv: list[str] | None = None) -> None:
    """Entry point of a spark-submit file: `--config FILE [--as-of DATE] [--set key=value] ...`."""
    _submitted(step.name, [step.name], _help_of(step), argv)


def run_all(argv: list[str] | None = None) -> None:
    """Run every step in one session, for a spark-submit file."""
    _submitted("run_all", list(STEPS), _RUN_ALL_HELP, argv)


def _submitted(name: str, steps: list[str], text: str, argv: list[str] | None) -> None:
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(name, help=text)(_step_command(steps))
    try:
        single(sys.argv[1:] if argv is None else argv, prog_name=f"{name}.py")
    except SystemExit as end:
        if end.code:  # Databricks takes even exit(0) for a failed task
            raise


def _help_of(step: Step) -> str:
    reads = ", ".join(table.name for table in (*step.reads, *step.optional)) or "files"
    return f"{reads} -> {', '.join(table.name for table in step.writes) or 'a report'}"


def _step_command(names: list[str]) -> Callable[..., None]:
    def command(
        config: Config,
        as_of: AsOf = None,
        overrides: Set = [],  # noqa: B006 - typer's way to declare a repeatable option
        properties_file: Properties = None,
        force: Force = False,
        verbose: Verbose = False,
    ) -> None:
        def work() -> None:
            spark_settings = read_properties(properties_file) if properties_file else None
            job = Job.open(
                config,
                overrides=overrides,
                as_of=as_of,
                spark_settings=spark_settings,
                verbose=verbose,
            )
            _require_healthy(job)
            for name in names:
                run_step(replace(job, run_id=uuid4().hex, rows={}), load_step(name), force=force)
            if names == list(STEPS):
                from interest_graph.summary import print_summary  # pulls in plotly

                print_summary(job)

        guarded(work, verbose=verbose)

    return command


def _require_healthy(job: Job) -> None:
    failed = [check for check in checks.quick(job.spark) if not check.ok]
    if failed:
        raise EnvironmentProblem("; ".join(check.advice for check in failed))


def guarded(work: Callable[[], None], *, verbose: bool) -> None:
    """Run `work`; an error becomes one line and an exit code, a stack trace with `verbose`."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(),  # to what stdout is when a line is logged
    )
    if not verbose:
        logging.getLogger("py4j").setLevel(logging.CRITICAL)
    try:
        work()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except Exception as error:
        if verbose:
            raise
        console.print(f"[red]error:[/red] {_escaped(one_line(error))}", soft_wrap=True)
        hint = "" if isinstance(error, InterestGraphError) else " (--verbose shows where)"
        if hint:
            console.print(hint.strip())
        raise SystemExit(error.exit_code if isinstance(error, InterestGraphError) else 1) from None


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")


for _name in (*STEPS, "diff", "fit_caps", "generate", "maintain", "tune"):
    app.command(_name.replace("_", "-"), help=f"Run the {_name} job.")(_step_command([_name]))
app.command("run-all", help=_RUN_ALL_HELP)(_step_command(list(STEPS)))


@app.command()
def show(
    table: Annotated[str, typer.Argument(help="schema.table, e.g. gold.recommendations")],
    config: Annotated[
        Path | None, typer.Option("--config", help="Whose warehouse; default ./warehouse.")
    ] = None,
    rows: Annotated[int, typer.Option(help="Rows to print.")] = 20,
    where: Annotated[str | None, typer.Option(help="SQL predicate.")] = None,
    verbose: Verbose = False,
) -> None:
    """Print a table."""

    def work() -> None:
        if table not in tables.ALL_TABLES:
            raise ConfigError(table, "unknown table", sorted(tables.ALL_TABLES))
        from interest_graph.config import Settings

        settings = load_settings(config) if config else Settings()
        store = Store(open_session("show"), settings.warehouse, run_id="show")
        frame = store.read(tables.ALL_TABLES[table])
        (frame.where(where) if where else frame).show(rows, truncate=60)

    guarded(work, verbose=verbose)


@app.command()
def doctor(verbose: Verbose = False) -> None:
    """Check versions, Java, JARs, Delta, GraphFrames, Arrow, torch and GPU."""

    def work() -> None:
        results = checks.full(open_session("doctor"))
        for check in results:
            mark = "[green]ok[/green]  " if check.ok else "[red]FAIL[/red]"
            console.print(
                f"{mark} {check.name}: {check.found}" + ("" if check.ok else f" - {check.advice}")
            )
        if not all(check.ok for check in results):
            raise EnvironmentProblem("the environment is incomplete")

    guarded(work, verbose=verbose)


@cluster_app.command("start")
def start(
    state: State = Path(".cluster"),
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
    cores: Annotated[int, typer.Option(min=1, help="Cores a worker offers.")] = 1,
    memory_mb: Annotated[int, typer.Option(min=512, help="Memory a worker offers.")] = 2048,
    settings: Annotated[
        Path | None, typer.Option("--settings", help="Spark settings that spark.conf starts with.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Start a master and workers on loopback; prints what to give to spark-submit."""

    def work() -> None:
        started = cluster.start_cluster(
            state, n_workers=workers, cores=cores, memory_mb=memory_mb, settings=settings
        )
        console.print(f"{started.master_url} with {started.n_workers} workers; submit with")
        typer.echo(f"--properties-file {started.properties}")

    guarded(work, verbose=verbose)


@cluster_app.command("stop")
def stop(state: State = Path(".cluster"), verbose: Verbose = False) -> None:
    """Stop the master and the workers."""
    guarded(lambda: typer.echo(f"{cluster.stop_cluster(state)} daemons stopped"), verbose=verbose)
