"""Vectors of item texts; only new and changed texts are encoded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

import pandas as pd
from pyspark.errors import PythonException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.device import task_device
from interest_graph.errors import EnvironmentProblem
from interest_graph.features.encoder import encode, load_encoder

VECTOR_COLUMNS = "item_id STRING, model STRING, text_hash STRING, vector ARRAY<FLOAT>"


def hash_texts(items: DataFrame, *, encoder: str) -> DataFrame:
    """The text of each item to encode, with its hash: item_id, model, text_hash (SHA-256), text.

    items: item_id, text, title, categories; one row per item. Items without a text are encoded by
    title and categories; items without any of these are dropped.
    """
    title_and_categories = F.concat_ws(". ", "title", F.concat_ws(", ", "categories"))
    text = F.coalesce(F.nullif(F.trim("text"), F.lit("")), F.trim(title_and_categories))
    texts = items.select("item_id", text.alias("text")).where(F.length("text") > 1)
    digest = F.sha2("text", 256).alias("text_hash")
    return texts.select("item_id", F.lit(encoder).alias("model"), digest, "text")


def keep_current(features: DataFrame, hashed: DataFrame, items: DataFrame) -> DataFrame:
    """The rows of silver.features that are still valid.

    For the encoder in `hashed` (from `hash_texts`): rows whose text has not changed. For other
    encoders: rows whose item still exists in `items`.
    """
    same = hashed.select("item_id", "model", "text_hash")
    encoders = hashed.select("model").distinct()
    unchanged = features.join(same, ["item_id", "model", "text_hash"], how="left_semi")
    others = features.join(encoders, "model", how="left_anti").select(*features.columns)
    return unchanged.unionByName(others.join(items, "item_id", how="left_semi"))


def encode_texts(hashed: DataFrame, *, encoder: str, batch_size: int) -> DataFrame:
    """Encode the text of each row; lazy, each worker loads the encoder once.

    hashed: item_id, model, text_hash, text. Returns item_id, model, text_hash, vector (unit
    length). Workers raise EnvironmentProblem when the encoder cannot be loaded.
    """
    return hashed.mapInPandas(_encoding(encoder, batch_size), VECTOR_COLUMNS)


def as_environment_problem(error: PythonException) -> Exception:
    """The EnvironmentProblem that a worker raised, without its traceback; else the error itself."""
    found = re.search(rf"{EnvironmentProblem.__name__}: (.+)", str(error))
    return EnvironmentProblem(found.group(1).strip()) if found else error


def _encoding(
    encoder: str, batch_size: int
) -> Callable[[Iterable[pd.DataFrame]], Iterator[pd.DataFrame]]:
    def encode_batches(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            model = load_encoder(encoder, task_device())
            vectors = encode(batch["text"].tolist(), model, batch_size)
            yield batch.drop(columns="text").assign(vector=list(vectors))

    return encode_batches
