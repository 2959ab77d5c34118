"""The commands `interest-graph cluster start` and `stop`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interest_graph.guard import Verbose, guarded
from interest_graph.progress import console
from interest_graph.setup import cluster

cluster_app = typer.Typer(no_args_is_help=True, help="A Spark standalone cluster on this machine.")

State = Annotated[
    Path, typer.Option("--state", help="Folder for logs, process ids and spark.conf.")
]


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
