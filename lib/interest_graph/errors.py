"""All errors that the suite raises for users; every message is one line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


class InterestGraphError(Exception):
    """Base of all errors of the suite. exit_code: of a command or job that ends with the error."""

    exit_code = 1


class ConfigError(InterestGraphError):
    """A setting is unknown, wrong or missing."""

    exit_code = 2

    def __init__(self, key: str, problem: str, allowed: Iterable[object] | None = None) -> None:
        # e.g. graph.prune: unknown setting; allowed: min_weight, top_k
        choices = f"; allowed: {', '.join(map(str, allowed))}" if allowed is not None else ""
        super().__init__(f"{key}: {problem}{choices}")
        self.key, self.problem = key, problem


class ContractError(InterestGraphError):
    """A frame does not match the table it is read from or written to."""

    exit_code = 3

    def __init__(self, table: str, problems: Sequence[str]) -> None:
        # e.g. graph.edges: lacks dst; weight is int, not double
        super().__init__(f"{table}: {'; '.join(problems)}")
        self.table, self.problems = table, list(problems)


class MissingTableError(ContractError):
    """A table that a job reads has not been written yet."""

    def __init__(self, table: str, writer: str) -> None:
        super().__init__(table, [f"does not exist yet; the {writer} job writes it"])
        self.writer = writer


class DataError(InterestGraphError):
    """The data is not as required. what: the problem; count: of rows; samples: at most 5 keys."""

    exit_code = 3

    def __init__(self, what: str, count: int | None = None, samples: Sequence[object] = ()) -> None:
        rows = f" ({count} rows)" if count is not None else ""
        keys = f"; for example {', '.join(map(str, samples[:5]))}" if samples else ""
        super().__init__(_printable(f"{what}{rows}{keys}"))
        self.count, self.samples = count, list(samples[:5])


class ConflictError(InterestGraphError):
    """Another job kept changing the same table until the retries ran out."""

    exit_code = 4


class EnvironmentProblem(InterestGraphError):
    """Something that the suite needs on this machine is missing or has another version."""

    exit_code = 5


class TrainingError(InterestGraphError):
    """Training diverged or cannot start; shard_id: of the shard where it happened, if any."""

    exit_code = 6

    def __init__(self, what: str, shard_id: int | None = None) -> None:
        super().__init__(what if shard_id is None else f"shard {shard_id}: {what}")
        self.shard_id = shard_id


def _printable(text: str) -> str:
    r"""The text on one line, line breaks and control characters as \n or \x1b: data holds any."""
    if text.isprintable():
        return text
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return "".join(escaped)


# What ends a Python traceback: the error and its message.
_RAISED = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit)\b")


def one_line(error: BaseException) -> str:
    """The error's message on one line, without a stack trace of the JVM or of a Python worker."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, InterestGraphError):
        return " ".join(lines)
    caused = [line for line in lines if line.startswith("Caused by:")]
    told = [*_raised_in_worker(lines), *caused[-1:], *lines, type(error).__name__]
    return f"{type(error).__name__}: {told[0]}"[:500]


def _raised_in_worker(lines: Sequence[str]) -> list[str]:
    """The line of the error that ends the last Python traceback among the lines, if any."""
    starts = [n for n, line in enumerate(lines) if "Traceback (most recent call last)" in line]
    traced = lines[starts[-1] + 1 :] if starts else ()
    return [line for line in traced if _RAISED.match(line)][:1]
