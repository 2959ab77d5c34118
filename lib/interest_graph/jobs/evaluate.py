"""silver.interactions -> gold.metrics: ranking quality of the model and baselines on hold-outs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.cache_scope import cache_scope
from interest_graph.evaluate.protocol import compare_models, score_users
from interest_graph.evaluate.split import Split, count_unknown, make_split
from interest_graph.filesystem import FileSystem
from interest_graph.graph import weigh
from interest_graph.graph.build import prune_edges
from interest_graph.graph.checks import require_bounded
from interest_graph.identity import digest
from interest_graph.ids import user_item_pairs
from interest_graph.job import Job, Run
from interest_graph.plugins import file_name
from interest_graph.progress import console
from interest_graph.recommend.cold_start import gather_all_histories
from interest_graph.recommend.topk import top_k
from interest_graph.train.edges import (
    EdgeCounts,
    fits_memory,
    hold_out_edges,
    sample_users,
    size_of,
)
from interest_graph.train.fitted import FittedModel, Model
from interest_graph.train.registry import make_model
from interest_graph.train.shared_fits import FitsOthers, SharedFits

Keep = Callable[[DataFrame], DataFrame]


@dataclass(frozen=True)
class SplitInputs:
    """The inputs of all models on one split.

    edges, validation: user_id, item_id, weight, parts of the pruned train graph; validation is None
    where no user has two edges; histories: the
    train items of the users asked about; hold_out: user_id, item_id; n_users: those asked about;
    size: of the train graph.
    """

    split: Split
    edges: DataFrame
    validation: DataFrame | None
    histories: DataFrame
    hold_out: DataFrame
    n_users: int
    size: EdgeCounts


def run(run: Run) -> None:
    """Evaluate the configured model and the baselines on every configured split."""
    interactions = run.read(tables.INTERACTIONS)
    rows: list[tuple[Any, ...]] = []
    for config in run.settings.evaluate.splits:
        with cache_scope(run.spark) as keep:
            with run.phase(f"{config.name}: splitting"):
                inputs = _prepare(run, make_split(interactions, config, run.as_of), keep)
            rows += _evaluate_split(run, inputs, keep) if inputs else []
    run.store.replace(tables.METRICS, run.spark.createDataFrame(rows, tables.METRICS.schema))


def _prepare(run: Run, split: Split, keep: Keep) -> SplitInputs | None:
    """The inputs of the models; None if no user has both a train and a test part."""
    train, test = keep(split.train.select("*")), keep(split.test)
    split = Split(split.name, train, test, split.as_of)
    for name, n_rows in count_unknown(split).items():
        run.count(f"{split.name}: {name}", n_rows)
    weighed = _weigh(run, split, keep)
    hold_out = keep(test.join(train.select("user_id"), on="user_id", how="left_semi"))
    n_users, size = hold_out.select("user_id").distinct().count(), size_of(weighed)
    config, at_most = run.settings.train, run.settings.evaluate.users
    if n_users > at_most:
        n_users = at_most
        asked = F.broadcast(sample_users(hold_out, n_users, config.seed))
        hold_out = keep(hold_out.join(asked, on="user_id"))
        run.count(f"{split.name}: users in the sample", n_users)
    if n_users == 0:
        console.print(f"{split.name}: left out, no user has both a train and a hold-out part")
        return None
    if size.n_edges == 0:
        console.print(f"{split.name}: left out, its train part gives no user-item edges; see graph")
        return None
    # Held out as in the train job.
    edges, held_out = hold_out_edges(weighed, config.validation.fraction, config.seed)
    validation = None if keep(held_out).isEmpty() else held_out
    everyone = gather_all_histories(weighed, interactions=train)
    histories = everyone.join(hold_out.select("user_id"), on="user_id", how="left_semi")
    return SplitInputs(split, keep(edges), validation, keep(histories), hold_out, n_users, size)


def _weigh(run: Run, split: Split, keep: Keep) -> DataFrame:
    """The pruned user-item edges of the train part, as build_graph makes them."""
    until, config = split.as_of, run.settings.graph
    weighed = weigh.weigh_edges(split.train, as_of=until, config=config)
    pruned = prune_edges(weigh.to_graph_edges(weighed), as_of=until, config=config)
    edges = keep(pruned.select("src", "dst", "kind", "weight"))
    require_bounded(edges)
    return user_item_pairs(edges)


def _evaluate_split(run: Run, inputs: SplitInputs, keep: Keep) -> list[tuple[Any, ...]]:
    """Rows of gold.metrics, every model under the same protocol."""
    ours = run.settings.train.model
    lists, seconds = _fit_and_rank(run, inputs, keep)
    ks = run.settings.evaluate.k
    named = [frame.withColumn("model", F.lit(model)) for model, frame in lists.items()]
    everyone = reduce(DataFrame.unionByName, named)
    scores = keep(score_users(everyone, inputs.hold_out, list(lists), ks))
    counts = {"n_users": inputs.n_users, "n_items": inputs.size.n_items}
    compared = compare_models(scores, everyone, ours=ours, ks=ks, **counts)
    columns = tables.METRICS.column_names
    rows = []
    with run.phase(f"{inputs.split.name}: measuring"):
        for row in compared.collect():  # models x measures x list lengths: a few hundred rows
            facts = row.asDict() | {"split": inputs.split.name, "as_of": inputs.split.as_of}
            facts |= {"is_ours": row.model == ours, "seconds": seconds[row.model]}
            rows.append(tuple(facts[name] for name in columns))
    return rows


def _fit_and_rank(
    run: Run, inputs: SplitInputs, keep: Keep
) -> tuple[dict[str, DataFrame], dict[str, float]]:
    """Lists of every model, and the seconds of its fit and its lists, by the model's own name."""
    lists: dict[str, DataFrame] = {}
    seconds: dict[str, float] = {}
    models = _models(run, inputs)
    # A model that fits others comes first: they then find its fits of them.
    in_order = sorted(models, key=lambda name: not isinstance(models[name], FitsOthers))
    with SharedFits(inputs.edges, inputs.validation, later=models) as fits:
        for name in in_order:
            model = models[name]
            with run.phase(f"{inputs.split.name}: {model.name}"):
                started = time.monotonic()
                sharing = model.with_fits(fits) if isinstance(model, FitsOthers) else model
                lists[model.name] = _recommend(run, inputs, fits.last(name, sharing), keep)
                # What a model takes from another one's fits is part of its own time, too.
                seconds[model.name] = time.monotonic() - started + fits.seconds_before(name)
    for name in models:  # not before, as vectors may be computed from what lies there
        FileSystem(run.spark).delete(_work_dir(run, inputs, name))
    return lists, seconds


def _models(run: Run, inputs: SplitInputs) -> dict[str, Model]:
    """The configured model, and the baselines that a worker has the memory for, by name."""
    ours = run.settings.train.model
    models: dict[str, Model] = {}
    for name in dict.fromkeys([ours, *run.settings.evaluate.baselines]):
        model = make_model(name, run.spark, run.settings.train, _work_dir(run, inputs, name))
        if name == ours or fits_memory(model, inputs.size):
            models[name] = model
            continue
        console.print(
            f"{inputs.split.name}: baseline {name} left out, {inputs.size.n_items:,} items take it "
            "more memory in one worker than train.worker_mb"
        )
    return models


def _recommend(run: Run, inputs: SplitInputs, fitted: FittedModel, keep: Keep) -> DataFrame:
    """The longest list asked for, train items excluded; the model is released."""
    with fitted:
        ranked = top_k(
            inputs.histories,
            k=max(run.settings.evaluate.k),
            user_vectors=fitted.user_vectors,
            item_vectors=fitted.item_vectors,
            item_weights=fitted.item_weights,
        )
        lists = keep(ranked)
        lists.count()
    return lists


def _work_dir(run: Run, inputs: SplitInputs, name: str) -> str:
    """Where training keeps its rounds: a killed evaluation resumes, a changed one does not."""
    sections = run.settings.model_dump(mode="json", include={"train", "graph", "evaluate"})
    split = [inputs.split.name, inputs.split.as_of.isoformat()]
    decisive = digest([sections, split, run.input_identities], 16)
    return f"{run.root}/_training/evaluate-{file_name(name)}-{decisive}"


JOB = Job(
    name="evaluate",
    help="measures hold-out quality, the own model beside baselines under one protocol",
    run=run,
    reads=(tables.INTERACTIONS,),
    writes=(tables.METRICS,),
    settings=("graph", "train", "evaluate"),
    after=("recommend",),
    is_stage=True,
)
