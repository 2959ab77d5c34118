"""graph.edges -> model.*: fit the configured model to the newest graph version."""

from __future__ import annotations

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.builds import next_build
from interest_graph.cache_scope import cache_scope
from interest_graph.config.train import NO_RESULT
from interest_graph.contract import Table
from interest_graph.filesystem import FileSystem
from interest_graph.identity import digest, library_version
from interest_graph.item_weights import rows_of
from interest_graph.job import Job, Run
from interest_graph.tracking import track_training
from interest_graph.train.edges import TrainingGraph, hold_out_edges, newest_graph
from interest_graph.train.fitted import FittedModel
from interest_graph.train.registry import make_model


def run(run: Run) -> None:
    """Fit the configured model and write it; resumes after the last round of a killed run."""
    config = run.settings.train
    with newest_graph(run.read(tables.EDGES), run.read(tables.GRAPH_VERSIONS)) as graph:
        model_run = digest([config.decisive(), graph.version, library_version()], 12)
        _fit_and_write(run, graph, model_run)
    counts = graph.counts
    for name, n_rows in (("users", counts.n_users), ("items", counts.n_items)):
        run.count(name, n_rows)
    run.count("user-item edges", counts.n_edges)


def _fit_and_write(run: Run, graph: TrainingGraph, model_run: str) -> None:
    config = run.settings.train
    folder = f"{run.root}/_training/{model_run}"
    tags = {"model_run": model_run, "graph_version": graph.version, "as_of": run.as_of.isoformat()}
    name = f"{config.model} {model_run}"
    with (
        track_training(config, name, tags, run.input_versions) as tracker,
        cache_scope(run.spark) as keep,
    ):
        with run.phase(f"fitting {config.model}"):
            fit_edges, held_out = hold_out_edges(
                graph.edges, config.validation.fraction, config.seed
            )
            # Both are read once or more a model, and each reading would rank all edges anew.
            # Without a pair to choose by, models take the first of their settings.
            validation = None if keep(held_out).isEmpty() else held_out
            model = make_model(config.model, run.spark, config, folder, tracker.log_round)
            fitted = model.fit(keep(fit_edges), validation)
        with fitted, run.phase("writing the model"):
            tracker.log_rounds(fitted.log)
            tracker.log_metrics(vars(graph.counts))
            _write_model(run, model_run, fitted)
            record = [_lineage(run, graph, model_run, fitted)]
            run.store.merge(tables.MODELS, run.spark.createDataFrame(record, tables.MODELS.schema))
    FileSystem(run.spark).delete(folder)


def _lineage(run: Run, graph: TrainingGraph, model_run: str, fitted: FittedModel) -> Row:
    """The row of model.runs for this model run."""
    config, counts = run.settings.train, graph.counts
    return Row(
        model_run=model_run,
        model=config.model,
        build=next_build(run.read_if_written(tables.MODELS), "model_run", model_run),
        graph_version=graph.version,
        as_of=run.as_of,
        parameters=config.model_dump_json(exclude=NO_RESULT),
        input_versions=run.input_versions,
        n_users=counts.n_users,
        n_items=counts.n_items,
        n_edges=counts.n_edges,
        n_rounds=_count_rounds(fitted),
    )


def _write_model(run: Run, model_run: str, fitted: FittedModel) -> None:
    parts = [
        frame.select(F.lit(kind).alias("kind"), "key", "vector")
        for kind, frame in (("user", fitted.user_vectors), ("item", fitted.item_vectors))
        if frame is not None
    ]
    vectors = parts[0].unionByName(parts[1]) if parts else None
    weights = fitted.item_weights
    for table, rows in (
        (tables.EMBEDDINGS, vectors),
        (tables.ITEM_WEIGHTS, rows_of(weights) if weights is not None else None),
        (tables.TRAINING_LOG, fitted.log),
        (tables.SHARDS, fitted.shards),
        (tables.PARTITION, fitted.partition),
    ):
        _replace_run(run, table, rows, model_run, fitted.name)


def _replace_run(
    run: Run, table: Table, rows: DataFrame | None, model_run: str, model: str
) -> None:
    if rows is None:
        run.store.create(table)  # so that later jobs can read the table, which may be empty
        return
    named = rows.withColumns({"model_run": F.lit(model_run), "model": F.lit(model)})
    chosen = named.select(*table.column_names)
    run.store.replace(table, chosen, where=f"model_run = '{model_run}'")


def _count_rounds(fitted: FittedModel) -> int:
    if fitted.log is None:
        return 0
    last = fitted.log.agg(F.max("round")).first()
    return int(last[0] or 0) if last is not None else 0


JOB = Job(
    name="train",
    help="fits the model on shards of the newest graph",
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
    after=("build_graph",),
    is_stage=True,
)
