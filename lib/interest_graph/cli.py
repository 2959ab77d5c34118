"""The command line: `interest-graph <step> --config FILE`, and the spark-submit entry points."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import structlog
import typer

from interest_graph import doctor as checks
from interest_graph.config import Settings, load_settings
from interest_graph.errors import EnvironmentProblem, InterestGraphError, one_line
from interest_graph.job import Job
from interest_graph.job_graph import flowchart, listing
from interest_graph.pipeline import Pipeline
from interest_graph.progress import console
from interest_graph.registry import all_jobs, find_job
from interest_graph.session import open_session, read_properties
from interest_graph.setup import cluster

RUN_ALL = "run_all"
_RUN_ALL_HELP = "Run every stage, from files to the report, in one session."

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


def launch(name: str, argv: list[str] | None = None) -> None:
    """Entry point of a spark-submit file: `--config FILE [--as-of DATE] [--set key=value] ...`."""
    if name == RUN_ALL:
        _submitted(name, _command(_run_all), _RUN_ALL_HELP, argv)
    else:
        job = find_job(name)
        _submitted(name, _job_command(job), _help_of(job), argv)


def _submitted(name: str, command: Callable[..., None], text: str, argv: list[str] | None) -> None:
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(name, help=text)(command)
    try:
        single(sys.argv[1:] if argv is None else argv, prog_name=f"{name}.py")
    except SystemExit as end:
        if end.code:  # Databricks takes even exit(0) for a failed task
            raise


def _help_of(job: Job) -> str:
    reads = ", ".join(table.name for table in (*job.reads, *job.optional)) or "files"
    writes = ", ".join(table.name for table in job.writes) or "a report"
    return f"{job.help[0].upper()}{job.help[1:]}. {reads} -> {writes}"


def _job_command(job: Job) -> Callable[..., None]:
    return _command(lambda pipeline, force: pipeline.run(job, force=force))


def _run_all(pipeline: Pipeline, force: bool) -> None:
    pipeline.run_all(force=force)
    from interest_graph.summary import print_summary  # pulls in plotly

    if pipeline.last_run is not None:
        print_summary(pipeline.last_run)


def _command(work: Callable[[Pipeline, bool], object]) -> Callable[..., None]:
    """A command that opens the pipeline of its options and hands it to `work`, with --force."""

    def command(
        config: Config,
        as_of: AsOf = None,
        overrides: Set = [],  # noqa: B006 - typer's way to declare a repeatable option
        properties_file: Properties = None,
        force: Force = False,
        verbose: Verbose = False,
    ) -> None:
        def run() -> None:
            spark_settings = read_properties(properties_file) if properties_file else None
            pipeline = Pipeline.open(
                config,
                overrides=overrides,
                as_of=as_of,
                spark_settings=spark_settings,
                verbose=verbose,
            )
            checks.require(checks.quick(pipeline.spark))
            work(pipeline, force)

        guarded(run, verbose=verbose)

    return command


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


for _job in all_jobs():
    app.command(_job.name.replace("_", "-"), help=_help_of(_job))(_job_command(_job))
app.command("run-all", help=_RUN_ALL_HELP)(_command(_run_all))


@app.command()
def jobs(
    graph: Annotated[bool, typer.Option("--graph", help="As a Mermaid flowchart.")] = False,
) -> None:
    """List the jobs with what they read and write, in the order of run-all; or draw them."""
    typer.echo(flowchart(all_jobs()) if graph else listing(all_jobs()))


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
        settings = load_settings(config) if config else Settings()
        pipeline = Pipeline(settings, open_session("show"), datetime.now(UTC))
        frame = pipeline.read(table)
        (frame.where(where) if where else frame).show(rows, truncate=60)

    guarded(work, verbose=verbose)


@app.command()
def doctor(verbose: Verbose = False) -> None:
    """Check versions, Java, JARs, settings, Delta, GraphFrames, Arrow, torch and GPU."""

    def work() -> None:
        results = checks.full(open_session("doctor"))
        for check in results:
            bad = "[red]FAIL[/red]" if check.is_required else "[yellow]note[/yellow]"
            mark = "[green]ok[/green]  " if check.ok else bad
            line = f"{check.name}: {check.found}" + ("" if check.ok else f" - {check.advice}")
            console.print(f"{mark} {_escaped(line)}", soft_wrap=True)
        if not all(check.ok for check in results if check.is_required):
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
