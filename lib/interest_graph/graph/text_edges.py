"""Edges from item texts: runs the kernel of graph/semantics.py on all items in one worker."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.config.graph import GraphConfig, TextConfig
from interest_graph.errors import DataError
from interest_graph.graph.interests import no_events
from interest_graph.graph.semantics import semantic_edges

_BYTES_AN_ITEM = 8192  # three copies of a vector of 384 floats, the text and its words


def text_edges(items: DataFrame, features: DataFrame, config: GraphConfig) -> DataFrame:
    """Edges between items of similar text, and from items to clusters of texts.

    items: item_id, text, title, categories; features: item_id, vector of one encoder. Returns
    EDGE_COLUMNS of graph/weigh.py but in kinds item_text and item_interest; materialised by a local
    checkpoint. Raises DataError when the vectors need more than graph.worker_mb in one worker.
    """
    # The same text that the encoder reads of an item without text.
    instead = F.concat_ws(" ", "title", F.concat_ws(" ", "categories"))
    words = F.coalesce(F.nullif(F.trim("text"), F.lit("")), instead).alias("text")
    texts = features.select("item_id", "vector").join(
        items.select("item_id", words), "item_id", how="inner"
    )
    n_items = texts.count()
    if n_items * _BYTES_AN_ITEM > config.worker_mb * 2**20:
        what = "item texts fit no worker: raise graph.worker_mb or set graph.text to 0"
        raise DataError(what, n_items)
    columns = "src STRING, dst STRING, kind STRING, weight DOUBLE"
    edges = texts.repartition(1).mapInPandas(_kernel(config.text), columns)
    return edges.select("src", "dst", "kind", F.col("weight"), *no_events()).localCheckpoint()


def _kernel(
    settings: TextConfig,
) -> Callable[[Iterable[pd.DataFrame]], Iterator[pd.DataFrame]]:
    def work(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        received = list(batches)
        if received:
            yield semantic_edges(
                pd.concat(received, ignore_index=True),
                k=settings.neighbours_per_item,
                min_similarity=settings.min_similarity,
                n_clusters=settings.n_clusters,
                seed=settings.seed,
            )

    return work
