"""Error handling of all commands: an error becomes one line and an exit code."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Annotated

import structlog
import typer

from interest_graph.errors import InterestGraphError, one_line
from interest_graph.progress import console

Verbose = Annotated[bool, typer.Option("--verbose", help="Show stack traces and Spark's warnings.")]


def guarded(work: Callable[[], object], *, verbose: bool) -> None:
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
