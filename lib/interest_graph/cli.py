"""The command line: `interest-graph JOB --config FILE`, and the spark-submit entry points."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from interest_graph import doctor as checks
from interest_graph.config import Settings, load_settings
from interest_graph.errors import ConfigError, EnvironmentProblem
from interest_graph.guard import Verbose, guarded
from interest_graph.job import Job
from interest_graph.job_graph import (
    drawing,
    flowchart,
    listing,
    markdown_table,
    tables_read,
    tables_written,
)
from interest_graph.job_picture import picture
from interest_graph.pipeline import Pipeline
from interest_graph.progress import console
from interest_graph.registry import all_jobs, find_job
from interest_graph.session import open_session, read_properties
from interest_graph.setup.cluster_app import cluster_app

RUN_ALL = "run_all"
_RUN_ALL_HELP = "Run every stage, from files to the report, in one session."
_RUN_HELP = "Run a job of your own as module:attribute, or any job by its name."
_STAGES, _OTHERS = "Stages, in the order of run-all", "Other jobs"

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(cluster_app, name="cluster")

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


def main() -> None:
    """Entry point of the `interest-graph` command."""
    app(prog_name="interest-graph")


def launch(job: str | Job, argv: list[str] | None = None) -> None:
    """Entry point of a spark-submit file: `--config FILE [--as-of DATE] [--set key=value] ...`.

    job: a declaration, the name of a job of the registry, or run_all. argv: default: sys.argv.
    """
    if job == RUN_ALL:
        _submitted(RUN_ALL, _command(_run_all), _RUN_ALL_HELP, argv)
    else:
        found = find_job(job) if isinstance(job, str) else job
        command = _command(_running(found), is_light=found.is_light)
        _submitted(found.name, command, _help_of(found), argv)


def _submitted(name: str, command: Callable[..., None], text: str, argv: list[str] | None) -> None:
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(name, help=text)(command)
    try:
        single(sys.argv[1:] if argv is None else argv, prog_name=f"{name}.py")
    except SystemExit as end:
        if end.code:  # Databricks takes even exit(0) for a failed task
            raise


def _short_help_of(job: Job) -> str:
    return f"{job.help[0].upper()}{job.help[1:]}."


def _help_of(job: Job) -> str:
    passed = (("Reads", tables_read(job)), ("Writes", tables_written(job)))
    said = [f"{verb} {', '.join(names)}." for verb, names in passed if names]
    return "\n\n".join([_short_help_of(job), *said])


def _running(job: Job) -> Callable[[Pipeline, bool], object]:
    return lambda pipeline, force: pipeline.run(job, force=force)


def _run_all(pipeline: Pipeline, force: bool) -> None:
    pipeline.run_all(force=force)
    from interest_graph.summary import print_summary  # pulls in plotly

    if pipeline.last_run is not None:
        print_summary(pipeline.last_run)


def _command(
    work: Callable[[Pipeline, bool], object], *, is_light: bool = False
) -> Callable[..., None]:
    """A command that opens the pipeline of its options and hands it to `work`, with --force."""

    def command(
        config: Config,
        as_of: AsOf = None,
        overrides: Set = [],  # noqa: B006 - typer's way to declare a repeatable option
        properties_file: Properties = None,
        force: Force = False,
        verbose: Verbose = False,
    ) -> None:
        opening = (config, as_of, overrides, properties_file)

        def opened() -> Pipeline:
            return _open(*opening, verbose=verbose, is_light=is_light)

        guarded(lambda: work(opened(), force), verbose=verbose)

    return command


def _open(
    config: list[Path],
    as_of: datetime | None,
    overrides: list[str],
    properties_file: Path | None,
    *,
    verbose: bool,
    is_light: bool,
) -> Pipeline:
    """The pipeline of a command's options. Raises EnvironmentProblem where something is missing."""
    spark_settings = read_properties(properties_file) if properties_file else None
    pipeline = Pipeline.open(
        config,
        overrides=overrides,
        as_of=as_of,
        spark_settings=spark_settings,
        verbose=verbose,
        is_light=is_light,
    )
    checks.require(checks.quick(pipeline.spark))
    return pipeline


for _job in all_jobs():
    app.command(
        _job.name.replace("_", "-"),
        help=_help_of(_job),
        short_help=_short_help_of(_job),
        rich_help_panel=_STAGES if _job.is_stage else _OTHERS,
    )(_command(_running(_job), is_light=_job.is_light))
app.command("run-all", help=_RUN_ALL_HELP)(_command(_run_all))


@app.command("run", help=_RUN_HELP)
def run_own(
    job: Annotated[str, typer.Argument(help="For example my_jobs:JOB.")],
    config: Config,
    as_of: AsOf = None,
    overrides: Set = [],  # noqa: B006
    properties_file: Properties = None,
    force: Force = False,
    verbose: Verbose = False,
) -> None:
    """Run a job that need not be in the registry."""

    def work() -> None:
        found = find_job(job)  # a wrong name ends before Spark starts
        opening = (config, as_of, overrides, properties_file)
        pipeline = _open(*opening, verbose=verbose, is_light=found.is_light)
        pipeline.run(found, force=force)

    guarded(work, verbose=verbose)


@app.command()
def jobs(
    graph: Annotated[bool, typer.Option("--graph", help="Draw what waits for what.")] = False,
    form: Annotated[
        Literal["text", "markdown", "mermaid", "svg"] | None,
        typer.Option("--format", help="Default: by the ending of --out; text without it."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="A file to write, e.g. jobs.svg.")
    ] = None,
) -> None:
    """List the jobs with what they read and write; or draw what waits for what."""
    by_ending = {".svg": "svg", ".mmd": "mermaid", ".md": "markdown"}
    chosen = form or by_ending.get(out.suffix if out else "", "text")
    draw = {
        "text": drawing if graph else listing,
        "markdown": markdown_table,
        "mermaid": flowchart,
        "svg": picture,
    }[chosen]
    guarded(lambda: _put(f"{draw(all_jobs()).rstrip()}\n", out), verbose=False)


def _put(text: str, path: Path | None) -> None:
    """Print the text, or write it to a file. Raises ConfigError where that is impossible."""
    if path is None:
        typer.echo(text, nl=False)
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError("--out", f"{path} cannot be written ({error.strerror})") from None


@app.command()
def show(
    table: Annotated[str, typer.Argument(help="schema.table, e.g. gold.recommendations")],
    config: Annotated[
        Path | None, typer.Option("--config", help="Whose warehouse; default ./warehouse.")
    ] = None,
    rows: Annotated[int, typer.Option(help="Rows to print.")] = 20,
    where: Annotated[str | None, typer.Option(help="SQL predicate.")] = None,
    properties_file: Properties = None,
    verbose: Verbose = False,
) -> None:
    """Print a table."""

    def work() -> None:
        settings = load_settings(config) if config else Settings()
        spark_settings = read_properties(properties_file) if properties_file else None
        spark = open_session("show", settings=spark_settings)
        pipeline = Pipeline(settings, spark, datetime.now(UTC))
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
            console.print(f"{mark} {escape(line)}", soft_wrap=True)
        if not all(check.ok for check in results if check.is_required):
            raise EnvironmentProblem("the environment is incomplete")

    guarded(work, verbose=verbose)
