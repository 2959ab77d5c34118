"""The command line: one clear line and an exit code for whatever goes wrong."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from interest_graph import tables
from interest_graph.cli import app, guarded
from interest_graph.config import WarehouseConfig
from interest_graph.errors import ConfigError
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
