"""Accuracy and time of a model on a folder in LightGCN's format, all items ranked.

    python tests/benchmarks/train.py --data FOLDER [--model NAME] [--settings NAME] [--shards N]

FOLDER holds train.txt.gz and test.txt.gz: `user item item ...` a line. Some of the train pairs (5%)
decide when training stops and which settings are taken, unless they are published ones; test pairs
are read for measuring alone.
Items that a user has in train are never listed. The last line of the output is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from interest_graph.config import TrainConfig, change_train
from interest_graph.config.models import AlsConfig
from interest_graph.evaluate.protocol import average, score_users
from interest_graph.memory import PeakMemory
from interest_graph.recommend.topk import gather_histories, top_k
from interest_graph.session import open_session
from interest_graph.train.edges import hold_out_edges
from interest_graph.train.models.baselines import Candidate, als
from interest_graph.train.registry import make_model

K = 20
BEST_MODEL = "auto"
SETTINGS = {
    "spark.master": "local[2]",
    "spark.driver.memory": "3g",
    "spark.sql.shuffle.partitions": "4",
}
BSPM = Path(__file__).parents[2] / "conf" / "bspm.yaml"
TUNED: dict[str, dict[str, Any]] = {
    # Those that BSPM's authors publish for Gowalla.
    "blend": yaml.safe_load(BSPM.read_text())["train"],
    # Those that ChebyCF's authors publish for Gowalla.
    "chebyshev": {
        "chebyshev": {
            "degree_exponent": [0.4],
            "flatness": [1.5],
            "ideal_weight": [0.2],
            "n_vectors": [512],
        }
    },
    # Chosen on held-out train pairs of gowalla-lightgcn: the hardest of 16 candidates teaches more
    # in a pass than one negative; large batches need fewer propagations. Of weight decays whose
    # results are within one standard error, the stronger one (Breiman et al., CART, 1984).
    "lightgcn": {
        "loss": "bpr",
        "n_candidates": 16,
        "batch_size": 8192,
        "learning_rate": 0.01,
        "weight_decay": 1e-3,
        "schedule": "cosine",
        "max_rounds": 24,
        "patience": 24,
    },
    # Published for Gowalla (junkangwu/BSL@89e0267, logs: 396 steps a pass at learning rate 0.001,
    # Recall@20 0.180 after 10 passes, 0.1866 after 30, 0.189 at last). A shard of four takes a
    # quarter of the steps and starts at the spectrum, hence the rate; the rounds are a guess.
    "lightgcn-bsl": {
        "loss": "bsl",
        "similarity": "cosine",
        "score": "dot",
        "negatives": "in_batch",
        "temperature": 0.12,
        "negative_power": 0.84,
        "n_layers": 1,
        "batch_size": 2048,
        "learning_rate": 0.002,
        "weight_decay": 1e-5,
        "start_scale": 0.03,
        "schedule": "cosine",
        "max_rounds": 45,
        "patience": 45,
    },
    # The same source's plain matrix factorisation; there each pair has 800 negatives of its own.
    "lightgcn-bsl-factors": {
        "loss": "bsl",
        "similarity": "cosine",
        "score": "dot",
        "n_negatives": 800,
        "temperature": 0.08,
        "negative_power": 1.22,
        "n_layers": 0,
        "batch_size": 1024,
        "learning_rate": 1e-4,
        "weight_decay": 1e-9,
        "start_scale": 0.008,
        "max_rounds": 200,
    },
}
# Compared on held-out train pairs: alpha and regularisation at the smaller rank, then the ranks.
ALS_RANKS, ALS_ALPHAS, ALS_REGULARIZATIONS = (64, 128), (5.0, 20.0), (0.1, 0.5)


@dataclass(frozen=True)
class Exam:
    """What a model is given, and what it is asked: train edges in two parts, and test pairs."""

    edges: DataFrame
    validation: DataFrame
    histories: DataFrame
    test: DataFrame


def read_pairs(spark: SparkSession, path: Path) -> DataFrame:
    """user_id, item_id of `user item item ...` lines; users without items have no rows."""
    words = F.split(F.trim("value"), r"\s+")
    items = F.filter(F.slice(words, 2, 1_000_000), lambda word: word != "")
    lines = spark.read.text(str(path)).select(words[0].alias("user_id"), items.alias("items"))
    return lines.select("user_id", F.explode("items").alias("item_id"))


def read_exam(spark: SparkSession, folder: Path, config: TrainConfig) -> Exam:
    """Both files as frames in memory."""
    train = read_pairs(spark, folder / "train.txt.gz")
    return exam_of(train, read_pairs(spark, folder / "test.txt.gz"), config)


def exam_of(train: DataFrame, test: DataFrame, config: TrainConfig) -> Exam:
    """Hold a part of the train pairs out for validation; all pairs weigh 1."""
    train = train.withColumn("weight", F.lit(1.0)).repartition(4, "user_id").cache()
    edges, validation = hold_out_edges(train, config.validation.fraction, config.seed)
    histories = gather_histories(train).cache()
    return Exam(edges.cache(), validation.cache(), histories, test.cache())


def examine(spark: SparkSession, exam: Exam, config: TrainConfig) -> dict[str, float]:
    """Fit, list and measure; seconds cover fitting and listing."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="train-") as folder:
        fitted = make_model(config.model, spark, config, folder).fit(exam.edges, exam.validation)
        lists = top_k(
            exam.histories,
            k=K,
            user_vectors=fitted.user_vectors,
            item_vectors=fitted.item_vectors,
            item_weights=fitted.item_weights,
        )
        named = lists.withColumn("model", F.lit(config.model)).cache()
        named.count()
    seconds = time.monotonic() - started
    scores = average(score_users(named, exam.test, [config.model], [K]))
    values = {row.metric: row.value for row in scores.collect()}
    named.unpersist()
    return {"recall": values["recall"], "ndcg": values["ndcg"], "seconds": seconds}


def examine_als(spark: SparkSession, exam: Exam, seed: int) -> dict[str, float]:
    """MLlib's ALS at the settings that rank the validation pairs best; seconds of those alone."""
    small: dict[str, Any] = {
        "rank": [ALS_RANKS[0]],
        "alpha": list(ALS_ALPHAS),
        "regularization": list(ALS_REGULARIZATIONS),
    }
    best = tuned_als(exam, small, seed)
    chosen = {"alpha": [best.alpha], "regularization": [best.regularization]}
    best = tuned_als(exam, {"rank": list(ALS_RANKS), **chosen}, seed)
    print(f"als: {best}")
    alone = TrainConfig(model="als", seed=seed, als=AlsConfig(rank=[best.rank], **chosen))
    return examine(spark, exam, alone)


def tuned_als(exam: Exam, settings: dict[str, Any], seed: int) -> Candidate:
    """The best combination of the settings."""
    config = TrainConfig(model="als", seed=seed, als=AlsConfig(**settings))
    model = als(exam.edges.sparkSession, config, "")
    tuned = model.tuned(exam.edges, exam.validation)
    for candidate, trial in zip(model.candidates, tuned.trials, strict=True):
        print(f"als: {candidate} ndcg@{config.validation.k} {trial.metric:.4f}")
    return tuned.candidates[0]


def settings_of(
    model: str, shards: int, tuned: dict[str, Any], overrides: list[str]
) -> TrainConfig:
    """Defaults, then `tuned`, then the command line's overrides such as `learning_rate=0.01`."""
    base = TrainConfig.model_validate({"model": model, "n_shards": shards, **tuned})
    given = [override.partition("=") for override in overrides]
    return change_train(base, {f"train.{key}": yaml.safe_load(text) for key, _, text in given})


def rounded(values: dict[str, float], prefix: str = "") -> dict[str, float]:
    """The measures under the names of the report."""
    return {
        f"{prefix}recall@{K}": round(values["recall"], 4),
        f"{prefix}ndcg@{K}": round(values["ndcg"], 4),
        f"{prefix}seconds": round(values["seconds"], 1),
    }


def main() -> None:
    """Run the model, and ALS beside it when asked."""
    parser = argparse.ArgumentParser(description="Accuracy and time of a model.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default=BEST_MODEL)
    parser.add_argument("--settings", choices=sorted(TUNED), help="default: those of the model")
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--als", action="store_true", help="also fit MLlib's ALS")
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    arguments = parser.parse_args()
    tuned = TUNED.get(arguments.settings or arguments.model, {})
    config = settings_of(arguments.model, arguments.shards, tuned, arguments.overrides)
    spark = open_session("benchmark", settings=SETTINGS)
    exam = read_exam(spark, arguments.data, config)
    with PeakMemory() as memory:
        result = {"model": config.model, "shards": config.n_shards}
        result |= rounded(examine(spark, exam, config))
    result["peak_rss_mb"] = round(memory.peak_mb)
    if arguments.als:
        result |= rounded(examine_als(spark, exam, config.seed), prefix="als_")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
