"""The command line: one clear line and an exit code for whatever goes wrong."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from interest_graph import tables
from interest_graph.cli import app, launch
from interest_graph.config import WarehouseConfig
from interest_graph.errors import ConfigError
from interest_graph.guard import guarded
from interest_graph.job import Job
from interest_graph.registry import all_jobs
from interest_graph.store import Store


@pytest.fixture
def run(capfd):
    def invoke(*arguments):
        result = CliRunner().invoke(app, list(arguments))
        captured = capfd.readouterr()
        return result.exit_code, result.output + captured.out + captured.err

    return invoke


def test_help_lists_every_job(run):
    code, output = run("--help")

    assert code == 0
    assert [job.name for job in all_jobs() if job.name.replace("_", "-") not in output] == []


def test_the_list_of_commands_has_one_short_line_a_job_and_its_own_help_the_tables(run):
    listed, own = run("--help")[1], " ".join(run("clean", "--help")[1].split())

    assert "silver.interactions" not in listed
    assert "Reads bronze.events, bronze.files, silver.items" in own
    assert "Writes silver.interactions" in own


def test_jobs_are_listed_drawn_and_written_to_files(run, tmp_path):
    assert "train (stage of run-all, after build_graph)" in run("jobs")[1]
    assert "├──clean" in run("jobs", "--graph")[1]
    assert run("jobs", "--format", "mermaid")[1].startswith("flowchart TD")

    assert run("jobs", "--out", str(tmp_path / "jobs.svg")) == (0, "")
    assert (tmp_path / "jobs.svg").read_text().startswith("<svg")
    code, output = run("jobs", "--out", str(tmp_path / "absent" / "jobs.svg"))
    assert (code, "error: --out: " in output) == (2, True)


OWN_JOB = """
from interest_graph import Job

JOB = Job("count_settings", "counts", lambda run: run.count("sources", len(run.settings.sources)))
NO_JOB = 5
"""


def test_a_job_of_ones_own_is_run_by_module_and_name(run, spark, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_job_of_cli.py").write_text(OWN_JOB)
    config = tmp_path / "p.yaml"
    config.write_text(f"{{as_of: 2024-01-01, warehouse: {{table_root: {tmp_path / 'w'}}}}}")

    code, output = run("run", "own_job_of_cli:JOB", "--config", str(config))

    assert code == 0
    assert "count_settings" in output
    assert run("run", "own_job_of_cli:JOB", "-c", str(config))[1].strip().endswith("up to date")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("own_job_of_cli:NO_JOB", "is of type int, not a Job"),
        ("own_job_of_cli:JOBS", "module own_job_of_cli has no JOBS"),
        ("absent_module:JOB", "there is no module absent_module on Python's path"),
        ("trane", "unknown job; allowed: build_graph"),
    ],
)
def test_what_is_no_job_ends_with_code_2_before_spark_starts(
    run, tmp_path, monkeypatch, name, problem
):
    monkeypatch.setattr("interest_graph.cli.Pipeline.open", lambda *_, **__: pytest.fail("opened"))
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_job_of_cli.py").write_text(OWN_JOB)

    code, output = run("run", name, "--config", "unread.yaml")

    assert code == 2
    assert f"error: {name}: {problem}" in output


def test_a_spark_submit_file_may_launch_a_declaration(spark, tmp_path, capfd):
    config = tmp_path / "p.yaml"
    config.write_text(f"warehouse: {{table_root: {tmp_path / 'w'}}}")
    declared = Job("counts_one", "counts", lambda run: run.count("seen", 1))

    launch(declared, ["--config", str(config)])

    assert "counts_one" in capfd.readouterr().out


def test_an_unknown_key_ends_with_code_2_before_spark_starts(run, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "interest_graph.pipeline.open_session", lambda *_, **__: pytest.fail("started")
    )
    config = tmp_path / "p.yaml"
    config.write_text("grahp: {}")

    code, output = run("clean", "--config", str(config))

    assert code == 2
    assert "error: grahp: unknown setting, did you mean graph?" in output


def test_an_unwritable_warehouse_ends_with_code_2_before_spark_starts(run, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "interest_graph.pipeline.open_session", lambda *_, **__: pytest.fail("started")
    )
    (tmp_path / "file").write_text("")
    config = tmp_path / "p.yaml"
    config.write_text(f"warehouse: {{table_root: {tmp_path / 'file' / 'w'}}}")

    code, output = run("clean", "--config", str(config))

    assert code == 2
    assert "warehouse.table_root" in output


def test_a_job_before_its_turn_names_the_job_to_run_first(run, spark, tmp_path):
    config = tmp_path / "p.yaml"
    config.write_text(f"warehouse: {{table_root: {tmp_path / 'w'}}}")

    code, output = run("build-graph", "--config", str(config))

    assert code == 3
    assert "silver.interactions: does not exist yet; the clean job writes it" in output.replace(
        "\n", ""
    )


def test_show_prints_a_table_and_names_the_known_ones(run, spark, tmp_path):
    config = tmp_path / "p.yaml"
    config.write_text(f"warehouse: {{table_root: {tmp_path / 'w'}}}")
    users = spark.createDataFrame([("ann", {"age": "30"})], tables.USERS.schema)
    Store(spark, WarehouseConfig(table_root=str(tmp_path / "w")), "r").replace(tables.USERS, users)

    assert "ann" in run("show", "silver.users", "--config", str(config))[1]
    code, output = run("show", "silver.user", "--config", str(config))
    assert (code, "silver.users" in output) == (2, True)


def test_errors_are_raised_whole_when_verbose(capsys):
    def fail():
        raise ConfigError("key", "is wrong")

    with pytest.raises(ConfigError):
        guarded(fail, verbose=True)
    with pytest.raises(SystemExit) as ended:
        guarded(fail, verbose=False)
    assert ended.value.code == 2
    assert "error: key: is wrong" in capsys.readouterr().err
