"""README and docs say what is there: jobs, commands, options, settings, folders and links."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import typer.main
import yaml

from interest_graph.cli import app
from interest_graph.config import Settings
from interest_graph.job_graph import markdown_table
from interest_graph.registry import all_jobs

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = typer.main.get_command(app).commands
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def test_the_table_of_jobs_is_that_of_the_registry():
    assert markdown_table(all_jobs()) in README


def lines_of_code(page):
    """The indented lines of a page without comments; after a backslash a line goes on."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    return [
        line.partition(" #")[0].strip() for line in text.splitlines() if line.startswith("    ")
    ]


@each_page
def test_every_command_and_its_options_exist(page):
    for line in lines_of_code(page):
        found = re.search(r"(?:^|/|=\S* )interest-graph (.+)", line)
        if found is None:
            continue
        name, *rest = found[1].split()
        if name == "<job>":
            continue
        command = COMMANDS[name]
        if hasattr(command, "commands"):
            command = command.commands[rest[0]]
        known = {option for parameter in command.params for option in parameter.opts}
        given = {word.partition("=")[0] for word in rest if word.startswith("-")}
        assert given <= known, line


@each_page
def test_every_command_in_a_sentence_exists(page):
    named = re.findall(r"`interest-graph ([a-z-]+)", page.read_text(encoding="utf-8"))

    # docs/extending.md adds a job of its own to a copy of the library.
    assert set(named) - {"loyalty"} <= COMMANDS.keys()


@each_page
def test_every_file_that_is_named_is_there(page):
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"(?:docs|conf|jobs|tests|notebooks)/[\w./-]*\w", text)
    made = {"jobs/loyalty.py", "conf/NAME.yaml"}

    missing = [name for name in named if not (ROOT / name).exists() and name not in made]
    assert missing == []


def test_the_settings_of_the_readme_are_valid():
    for block in re.findall(r"^```yaml\n(.*?)^```", README, re.DOTALL | re.MULTILINE):
        Settings.model_validate(yaml.safe_load(block))


def test_every_folder_of_the_project_is_listed():
    listed = re.findall(r"^(\w+)/ ", README, re.MULTILINE)
    command = ["git", "ls-files"]
    known = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    folders = {name.split("/")[0] for name in known.splitlines() if "/" in name}

    assert sorted(listed) == sorted(name for name in folders if not name.startswith("."))
