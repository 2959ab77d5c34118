"""The registry of jobs: collected from the package `jobs`, in the order in which they run."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module

from interest_graph.errors import ConfigError
from interest_graph.job import Job
from interest_graph.plugins import find_plugin, is_plugin


@cache
def all_jobs() -> tuple[Job, ...]:
    """The declarations `JOB` of the modules of interest_graph.jobs: the stages in order first."""
    package = import_module("interest_graph.jobs")
    names = [module.name for module in pkgutil.iter_modules(package.__path__)]
    jobs: list[Job] = [import_module(f"{package.__name__}.{name}").JOB for name in names]
    staged = in_order([job for job in jobs if job.is_stage])
    others = sorted((job for job in jobs if not job.is_stage), key=lambda job: job.name)
    return (*staged, *others)


def stages() -> tuple[Job, ...]:
    """The jobs of run-all, each after those that it names."""
    return tuple(job for job in all_jobs() if job.is_stage)


def find_job(name: str) -> Job:
    """The job of that name, or the one that `module:attribute` names. Raises ConfigError.

    Hyphens in a name are as good as underscores.
    """
    if is_plugin(name):
        return _own_job(name)
    by_name = {job.name: job for job in all_jobs()}
    known = by_name.get(name.replace("-", "_"))
    if known is None:
        raise ConfigError(name, "unknown job", sorted(by_name))
    return known


def _own_job(name: str) -> Job:
    try:
        found = find_plugin(name)
    except ValueError as problem:
        raise ConfigError(name, str(problem)) from None
    if not isinstance(found, Job):
        raise ConfigError(name, f"is of type {type(found).__name__}, not a Job")
    return found


def in_order(jobs: Sequence[Job]) -> list[Job]:
    """The jobs, each after those that it runs after; where that leaves a choice, by name.

    Raises ValueError for a job that runs after one that is not among them, or after itself.
    """
    by_name = {job.name: job for job in sorted(jobs, key=lambda job: job.name)}
    unknown = {name for job in jobs for name in job.after} - by_name.keys()
    if unknown:
        raise ValueError(f"jobs run after unknown ones: {', '.join(sorted(unknown))}")
    order = TopologicalSorter({name: sorted(job.after) for name, job in by_name.items()})
    return [by_name[name] for name in order.static_order()]
