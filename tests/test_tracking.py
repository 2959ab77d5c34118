"""Runs are logged to MLflow as well, whose failures and secrets stay out of the way."""

from __future__ import annotations

import socket
import sys
from types import ModuleType, SimpleNamespace

import pytest
from tests.jobs.test_train import TRAIN, write_graph

from interest_graph import tables
from interest_graph.config import MlflowConfig, load_settings
from interest_graph.errors import ConfigError
from interest_graph.jobs.train import JOB
from interest_graph.tracking import tracked

SECRET = "canary7"
URI = f"https://bob:{SECRET}@tracking.example/store?token={SECRET}"


class FakeClient:
    """Keeps what is logged; calls named in `broken` fail with the URI in the message."""

    def __init__(self, tracking_uri):
        self.uri, self.broken = tracking_uri, set()
        self.metrics, self.params, self.tags, self.status = [], {}, {}, None

    def get_experiment_by_name(self, name):
        self._use("get_experiment_by_name")

    def create_experiment(self, name):
        self.experiment = name
        return "1"

    def create_run(self, experiment_id, run_name, tags):
        self.tags = {"name": run_name, **tags}
        return SimpleNamespace(info=SimpleNamespace(run_id="r"))

    def log_batch(self, run_id, params):
        assert len(params) <= 100
        self.params |= dict(params)

    def log_metric(self, run_id, name, value, step):
        self._use("log_metric")
        self.metrics.append((name, step, value))

    def set_terminated(self, run_id, status):
        self.status = status

    def _use(self, method):
        if method in self.broken:
            raise RuntimeError(f"API request to {self.uri} failed")


@pytest.fixture
def client(monkeypatch):
    """The client that the library makes, instead of MLflow's."""
    fake = FakeClient(None)

    def make(tracking_uri):
        fake.uri = tracking_uri
        return fake

    entities = ModuleType("mlflow.entities")
    entities.Param = lambda key, value: (key, value)
    module = ModuleType("mlflow")
    module.MlflowClient, module.entities = make, entities
    monkeypatch.setitem(sys.modules, "mlflow", module)
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    return fake


def config_of(uri=URI):
    return MlflowConfig(tracking_uri=uri)


def test_training_logs_settings_rounds_results_and_versions(client, open_pipeline, capfd):
    quick = {"n_shards": 1, "n_layers": 1, "start": "random"}
    pipeline = open_pipeline(train={**TRAIN, **quick, "mlflow": {"tracking_uri": URI}})
    write_graph(pipeline, "g", 1, seed=1)

    pipeline.run(JOB)

    rows = (
        pipeline.store.read(tables.TRAINING_LOG).where("shard_id = -1").orderBy("round").collect()
    )
    logged = {(name, step): value for name, step, value in client.metrics}
    assert [logged["loss", row["round"]] for row in rows] == [row.loss for row in rows]
    assert [logged["validation_ndcg", row["round"]] for row in rows] == [r.metric for r in rows]
    assert len(logged) == len(client.metrics)
    names = [name for name, *_ in client.metrics]
    assert names.index("loss") < names.index("validation_ndcg") < names.index("seconds")  # live
    run = pipeline.store.read(tables.MODELS).first()
    assert logged["n_edges", 0] == run.n_edges
    assert (client.params["dimension"], client.params["validation.k"]) == ("4", "20")
    assert (client.tags["model_run"], client.tags["graph_version"]) == (run.model_run, "g")
    assert client.tags["version.graph.edges"] == str(run.input_versions["graph.edges"])
    assert (client.uri, client.status) == (URI, "FINISHED")
    told = "".join(capfd.readouterr()) + str([run, client.params, client.tags, pipeline.settings])
    assert SECRET not in told


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")]
)
def test_a_run_that_fails_is_closed_as_such(client, error, status):
    with pytest.raises(error), tracked(config_of(), "run", {}, {}):
        raise error

    assert client.status == status


def test_a_server_that_fails_on_the_way_is_left_with_one_warning(client, capsys):
    client.broken = {"log_metric"}

    with tracked(config_of(), "run", {}, {}) as tracker:
        for number in (1, 2, 3):
            tracker.log_round(number, 0.5, None)

    told = capsys.readouterr().out
    assert told.count("MLflow is no longer told") == 1
    assert "RuntimeError at tracking.example" in told
    assert SECRET not in told


def test_an_unusable_server_is_one_line_without_its_secrets(client):
    client.broken = {"get_experiment_by_name"}

    with pytest.raises(ConfigError) as caught, tracked(config_of(), "run", {}, {}):
        pass

    assert str(caught.value) == (
        "train.mlflow.tracking_uri: unusable: RuntimeError at tracking.example"
    )


def test_without_the_extra_the_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)

    with pytest.raises(ConfigError) as caught, tracked(config_of(), "run", {}, {}):
        pass

    assert str(caught.value).startswith("train.mlflow: needs the extra that is not installed: pip")


def test_without_a_uri_the_environment_names_the_server(client, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///here.db")
    with tracked(MlflowConfig(), "run", {}, {}):
        pass
    assert client.uri == "sqlite:///here.db"

    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with pytest.raises(ConfigError, match="is required"), tracked(MlflowConfig(), "run", {}, {}):
        pass


def test_a_misplaced_uri_is_not_quoted(tmp_path):
    (tmp_path / "c.yaml").write_text(f"train: {{mlflow: '{URI}'}}\n")

    with pytest.raises(ConfigError, match=r"^train.mlflow: the value: ") as caught:
        load_settings(tmp_path / "c.yaml")

    assert SECRET not in str(caught.value)


def test_mlflow_itself_takes_what_is_logged_and_calls_nobody(tmp_path, monkeypatch):
    pytest.importorskip("mlflow", reason="the extra mlflow is not part of the lock")

    def refuse(*arguments, **_):
        pytest.fail(f"a connection was opened: {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    uri = f"sqlite:///{tmp_path / 'runs.db'}"

    with tracked(config_of(uri), "run", {"a": {"b": 1}}, {"model_run": "x"}) as tracker:
        tracker.log_round(1, 0.5, None)
        tracker.log_round(2, 0.25, 0.125)

    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("interest-graph")
    (run,) = client.search_runs([experiment.experiment_id])
    losses = client.get_metric_history(run.info.run_id, "loss")
    assert [(metric.step, metric.value) for metric in losses] == [(1, 0.5), (2, 0.25)]
    assert run.data.metrics["validation_ndcg"] == 0.125
    assert (run.data.params, run.data.tags["model_run"]) == ({"a.b": "1"}, "x")
    assert run.info.status == "FINISHED"
