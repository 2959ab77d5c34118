"""graph.edges -> model.*: a model fitted to the newest graph, with its lineage."""

from __future__ import annotations

import shutil

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.config.train import NO_RESULT
from interest_graph.contract import Table
from interest_graph.job import Job, Step
from interest_graph.steps.training import TrainingGraph, name_by_content, newest_graph, track
from interest_graph.store import absolute
from interest_graph.train.edges import hold_out_edges
from interest_graph.train.fitted import FittedModel
from interest_graph.train.registry import make_model


def run(job: Job) -> None:
    """Fit the configured model and write it; a killed run goes on at its last finished round."""
    with newest_graph(job) as graph:
        model_run = name_by_content(job.settings.train, graph.version)
        _fit_and_write(job, graph, model_run)
    counts = graph.counts
    for name, n_rows in (("users", counts.n_users), ("items", counts.n_items)):
        job.count(name, n_rows)
    job.count("user-item edges", counts.n_edges)


def _fit_and_write(job: Job, graph: TrainingGraph, model_run: str) -> None:
    config = job.settings.train
    folder = f"{absolute(job.settings.warehouse.table_root)}/_training/{model_run}"
    tags = {"model_run": model_run, "graph_version": graph.version, "as_of": job.as_of.isoformat()}
    with track(job, f"{config.model} {model_run}", config, tags) as tracker:
        with job.phase(f"fitting {config.model}"):
            fit_edges, held_out = hold_out_edges(
                graph.edges, config.validation.fraction, config.seed
            )
            model = make_model(config.model, job.spark, config, folder, tracker.log_round)
            fitted = model.fit(fit_edges, held_out)
            tracker.log_rounds(fitted.log)
            tracker.log_metrics(vars(graph.counts))
        with job.phase("writing the model"):
            _write_model(job, model_run, fitted)
            record = [_lineage(job, graph, model_run, fitted)]
            job.store.merge(tables.MODELS, job.spark.createDataFrame(record, tables.MODELS.schema))
    shutil.rmtree(folder, ignore_errors=True)


def _lineage(job: Job, graph: TrainingGraph, model_run: str, fitted: FittedModel) -> Row:
    """The run's row of model.runs."""
    config, counts = job.settings.train, graph.counts
    return Row(
        model_run=model_run,
        model=config.model,
        build=_next_build(job, model_run),
        graph_version=graph.version,
        as_of=job.as_of,
        parameters=config.model_dump_json(exclude=NO_RESULT),
        input_versions=job.input_versions,
        n_users=counts.n_users,
        n_items=counts.n_items,
        n_edges=counts.n_edges,
        n_rounds=_count_rounds(fitted),
    )


def _write_model(job: Job, model_run: str, fitted: FittedModel) -> None:
    parts = [
        frame.select(F.lit(kind).alias("kind"), "key", "vector")
        for kind, frame in (("user", fitted.user_vectors), ("item", fitted.item_vectors))
        if frame is not None
    ]
    vectors = parts[0].unionByName(parts[1]) if parts else None
    for table, rows in (
        (tables.EMBEDDINGS, vectors),
        (tables.ITEM_WEIGHTS, fitted.item_weights),
        (tables.TRAINING_LOG, fitted.log),
        (tables.SHARDS, fitted.shards),
        (tables.PARTITION, fitted.partition),
    ):
        _replace_run(job, table, rows, model_run, fitted.name)


def _replace_run(
    job: Job, table: Table, rows: DataFrame | None, model_run: str, model: str
) -> None:
    if rows is None:
        job.store.create(table)  # readers find an empty table rather than none
        return
    named = rows.withColumns({"model_run": F.lit(model_run), "model": F.lit(model)})
    chosen = named.select(*table.column_names)
    job.store.replace(table, chosen, where=f"model_run = '{model_run}'")


def _next_build(job: Job, model_run: str) -> int:
    """The number of this run; the newest run keeps its number when it is repeated."""
    known = job.read_if_written(tables.MODELS)
    newest = known.orderBy(F.desc("build")).first() if known is not None else None
    if newest is None:
        return 1
    is_newest = newest["model_run"] == model_run
    return int(newest["build"]) + (0 if is_newest else 1)


def _count_rounds(fitted: FittedModel) -> int:
    if fitted.log is None:
        return 0
    last = fitted.log.agg(F.max("round")).first()
    return int(last[0] or 0) if last is not None else 0


STEP = Step(
    name="train",
    run=run,
    reads=(tables.EDGES, tables.GRAPH_VERSIONS),
    writes=(
        tables.SHARDS,
        tables.PARTITION,
        tables.EMBEDDINGS,
        tables.ITEM_WEIGHTS,
        tables.TRAINING_LOG,
        tables.MODELS,
    ),
    settings=("train",),
)
