"""Logging of runs to an MLflow tracking server, if train.mlflow is set."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import structlog
from pyspark.sql import DataFrame

from interest_graph.config import MlflowConfig, TrainConfig
from interest_graph.errors import ConfigError

_KEY = "train.mlflow"
_URI_VARIABLE = "MLFLOW_TRACKING_URI"
_LOCAL_SCHEMES = ("", "file", "sqlite")  # their URIs hold no password
_MAX_PARAMETERS = 100  # of one call of the tracking API


class Tracker:
    """A run on a tracking server; without a client all methods do nothing.

    A failing server does not fail the training: after the first failed call one warning is logged,
    and nothing more is sent.
    """

    def __init__(self, client: Any = None, run_id: str = "", uri: str = "") -> None:
        self._client, self._run_id, self._uri = client, run_id, uri
        self._logged: set[tuple[str, int]] = set()

    def log_round(self, number: int, loss: float, metric_before: float | None) -> None:
        """Log the loss of round `number` and the validation metric of the round before."""
        self.log_metrics({"loss": loss}, number)
        self.log_metrics({"validation_ndcg": metric_before}, number - 1)

    def log_rounds(self, log: DataFrame | None) -> None:
        """Log the rounds of FittedModel.log (rows with shard_id -1) that are not logged yet."""
        if self._client is None or log is None:
            return
        rows = log.where("shard_id = -1").orderBy("round").collect()
        for row in rows:
            values = {"loss": row["loss"], "validation_ndcg": row["metric"]}
            self.log_metrics({**values, "seconds": row["seconds"]}, row["round"])
        measured = [row["metric"] for row in rows if row["metric"] is not None]
        self.log_metrics({"best_validation_ndcg": max(measured, default=None)})

    def log_metrics(self, values: Mapping[str, float | None], step: int = 0) -> None:
        """Log the values that are not None; a value logged before for the same step is skipped."""
        for name, value in values.items():
            if value is not None and (name, step) not in self._logged:
                self._logged.add((name, step))
                self._call("log_metric", name, float(value), step=step)

    def end(self, status: str) -> None:
        """End the run on the server with status FINISHED, FAILED or KILLED."""
        self._call("set_terminated", status=status)

    def _call(self, method: str, *arguments: Any, **options: Any) -> None:
        if self._client is None:
            return
        try:
            getattr(self._client, method)(self._run_id, *arguments, **options)
        except Exception as error:
            self._client = None
            problem = _problem(error, self._uri)
            structlog.get_logger().warning("MLflow is no longer told", problem=problem)


@contextmanager
def tracked(
    config: MlflowConfig | None,
    name: str,
    parameters: Mapping[str, Any],
    tags: Mapping[str, str],
    early_ends: tuple[type[Exception], ...] = (),
) -> Iterator[Tracker]:
    """Open a run on the tracking server for the block; without config a tracker that does nothing.

    parameters: nested dicts, logged under dotted names; early_ends: exceptions with which the run
    ends as KILLED instead of FAILED. Raises ConfigError when the mlflow extra is not installed or
    the server cannot be used.
    """
    if config is None:
        yield Tracker()
        return
    tracker = _started(config, name, parameters, tags)
    try:
        yield tracker
    except BaseException as error:
        was_stopped = isinstance(error, (*early_ends, KeyboardInterrupt))
        tracker.end("KILLED" if was_stopped else "FAILED")
        raise
    tracker.end("FINISHED")


def track_training(
    config: TrainConfig,
    name: str,
    tags: Mapping[str, str],
    versions: Mapping[str, int],
    early_ends: tuple[type[Exception], ...] = (),
) -> AbstractContextManager[Tracker]:
    """`tracked` for a model: the settings of train are the parameters.

    versions: table name -> Delta version of the tables read, logged as tags.
    """
    of_tables = {f"version.{table}": str(number) for table, number in versions.items()}
    return tracked(config.mlflow, name, config.decisive(), {**tags, **of_tables}, early_ends)


def _started(
    config: MlflowConfig, name: str, parameters: Mapping[str, Any], tags: Mapping[str, str]
) -> Tracker:
    mlflow, uri = _imported(), _uri_of(config)
    entities = import_module("mlflow.entities")
    params = [entities.Param(key, str(value)) for key, value in _flat(parameters)]
    try:
        client = mlflow.MlflowClient(tracking_uri=uri)
        experiment = client.get_experiment_by_name(config.experiment)
        folder = experiment.experiment_id if experiment else None
        folder = folder or client.create_experiment(config.experiment)
        run_id = client.create_run(folder, run_name=name, tags=dict(tags)).info.run_id
        for first in range(0, len(params), _MAX_PARAMETERS):
            client.log_batch(run_id, params=params[first : first + _MAX_PARAMETERS])
    except Exception as error:
        raise ConfigError(f"{_KEY}.tracking_uri", f"unusable: {_problem(error, uri)}") from None
    return Tracker(client, run_id, uri)


def _imported() -> Any:
    # Read by MLflow on import: turns off its reports of usage to its makers.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = os.environ["DO_NOT_TRACK"] = "true"
    try:
        mlflow = import_module("mlflow")
    except ImportError:
        problem = "needs the extra that is not installed: pip install 'interest-graph[mlflow]'"
        raise ConfigError(_KEY, problem) from None
    logging.getLogger("mlflow").setLevel(logging.CRITICAL)  # its messages may contain the URI
    return mlflow


def _uri_of(config: MlflowConfig) -> str:
    given = config.tracking_uri.get_secret_value() if config.tracking_uri else None
    uri = given or os.environ.get(_URI_VARIABLE)
    if not uri:
        raise ConfigError(f"{_KEY}.tracking_uri", f"is required where {_URI_VARIABLE} is not set")
    return uri


def _problem(error: Exception, uri: str) -> str:
    """The problem on one line; without the message, which may hold the URI, for remote servers."""
    kind = type(error).__name__
    try:
        parts = urlsplit(uri)
        scheme, host = parts.scheme, parts.hostname
    except ValueError:
        return kind
    if scheme in _LOCAL_SCHEMES:
        return f"{kind}: {' '.join(str(error).split())}"[:300]
    return " ".join(filter(None, [kind, getattr(error, "error_code", None), "at", host or scheme]))


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
