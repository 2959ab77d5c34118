"""docs/extending.md: its files are written as they stand there, and run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pyarrow as pa
import pytest

from interest_graph import Pipeline, load_settings, tables
from interest_graph.errors import DataError
from interest_graph.plugins import find_function

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^( *)```\w+ (\S+)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
FILES = {name: dedent(text) for _, name, text in BLOCK.findall(PAGE)}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The page's files in a folder, as a reader would save them; that folder is the current one.

    Paths of sources become absolute: the session's JVM was started in another folder.
    """
    folder = tmp_path_factory.mktemp("shop")
    for name, text in FILES.items():
        if not name.startswith(("lib/", "jobs/")):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text.replace("path: logs", f"path: {folder}/logs"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        yield folder


@pytest.fixture(scope="module")
def walked(spark, shop):
    """The names of walk.py, which runs every stage up to train and the page's own job."""
    spark.sparkContext.addPyFile(str(shop / "my_formats.py"))
    names = {}
    exec(compile(FILES["walk.py"], "walk.py", "exec"), names)
    return names


def test_every_block_that_is_code_names_its_file():
    unnamed = re.findall(r"^ *```(\w+)$", PAGE, re.MULTILINE)

    assert unnamed == []
    assert len(FILES) == 12


def test_the_source_format_is_read_mapped_and_accounted_for(walked):
    pipeline = walked["pipeline"]

    facts = pipeline.read("silver.interactions").select("user_id", "item_id", "action").collect()
    refused = pipeline.read("silver.quarantine").select("reasons", "payload").collect()

    assert len(facts) == 6
    assert ("ann", "tent", "purchase") in {tuple(row) for row in facts}
    assert [tuple(row) for row in refused] == [(["unreadable"], "this line has been cut")]


def test_the_rule_prunes_the_graph(walked):
    edges = walked["pipeline"].read("graph.edges").where("kind = 'user_item'")

    assert {(row.src, row.dst, row.weight) for row in edges.collect()} == {
        ("u:ann", "i:tent", 6.0),
        ("u:bob", "i:tent", 1.0),
        ("u:bob", "i:lamp", 1.0),
        ("u:cat", "i:lamp", 1.0),
    }


def test_the_model_is_trained_and_written_with_its_name(walked):
    pipeline = walked["pipeline"]

    vectors = pipeline.read("model.embeddings").where("kind = 'item'").collect()

    assert {row.key: row.vector for row in vectors} == {"tent": [7.0], "lamp": [2.0]}
    assert pipeline.read("model.runs").first().model == "my_models:TopSellers"


def test_the_job_writes_its_table_and_is_recorded(walked):
    pipeline = walked["pipeline"]

    assert [tuple(row) for row in walked["loyal"].collect()] == [("bob", 2)]
    (recorded,) = pipeline.read("ops.runs").where("job = 'loyalty'").collect()
    assert (recorded.status, recorded.rows) == ("succeeded", {"users": 3})
    assert not pipeline.run("my_jobs:JOB")  # up to date


def test_a_whole_table_is_a_reader_s_record_too(shop):
    table, sink = pa.table({"who": ["ann"], "n": [1]}), pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)

    (read,) = find_function("my_formats:read_feather")("a.arrow", sink.getvalue().to_pybytes())

    assert read.equals(table)


def test_a_reader_that_fails_and_a_column_that_it_lacks_are_one_line_before_any_table(
    spark, shop, walked, tmp_path
):
    root = f"warehouse.table_root={tmp_path / 'warehouse'}"
    settings = load_settings("shop.yaml", [root])
    (source,) = settings.sources

    def problem_with(**changes):
        changed = settings.model_copy(update={"sources": [source.model_copy(update=changes)]})
        pipeline = Pipeline(changed, spark, walked["pipeline"].as_of)
        with pytest.raises(DataError) as error:
            pipeline.run("ingest")
        assert not pipeline.store.exists(tables.FILES)
        return str(error.value)

    failed = problem_with(format="my_formats:read_feather")
    lacking = problem_with(columns={**source.columns, "value": "price"})

    assert re.fullmatch(
        r"source pipes: my_formats:read_feather fails on file:\S+/monday\.pipes "
        r"\(ArrowInvalid at my_formats\.py, line 16\)",
        failed,
    )
    assert lacking.endswith("monday.pipes has no column price; present: at, who, what, did")


def test_a_job_inside_the_library_needs_three_places_and_no_other(tmp_path):
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in ("lib", "jobs"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    inside = [name for name in FILES if name.startswith(("lib/", "jobs/"))]
    for name in inside:
        with (tmp_path / name).open("a") as file:
            file.write(f"\n\n{FILES[name]}")
    code = """
from interest_graph import tables
from interest_graph.cli import main
from interest_graph.registry import find_job, stages
print([job.name for job in stages()], tables.ALL_TABLES["gold.loyalty"].writer)
print(find_job("loyalty").writes[0].name)
"""

    def printed(*command):
        environment = {**os.environ, "PYTHONPATH": str(tmp_path / "lib"), "COLUMNS": "200"}
        return subprocess.run(
            [sys.executable, *command],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env=environment,
        ).stdout

    assert len(inside) == 3
    order, *others = printed("-c", code).splitlines()
    assert "'clean', 'featurize', 'loyalty'" in order
    assert order.endswith("] loyalty")
    assert others == ["gold.loyalty"]
    assert "Counts the days of each user." in printed("jobs/loyalty.py", "--help")


def test_the_python_of_the_readme_runs(walked, monkeypatch):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    monkeypatch.setattr(Pipeline, "open", lambda _file: walked["pipeline"])
    names = {}

    for block in blocks:
        exec(block, names)

    best = names["best"].where("user_id = 'cat'").collect()
    assert {row.item_id for row in best} == {"tent", "gift-card"}
