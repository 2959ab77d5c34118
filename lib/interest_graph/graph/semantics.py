"""Text neighbours of items, and named clusters of texts. NumPy and SciPy, no Spark here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.cluster.vq import kmeans2

from interest_graph.ids import INTEREST, ITEM, vertex
from interest_graph.largest import largest_columns

Ints = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]

_ROWS_AT_ONCE = 1024  # rows of items x items held as a dense block
_ROUNDS = 25  # of k-means
_WORD = re.compile(r"[^\W\d_]{3,}")
_WORDS_IN_A_NAME = 3


def text_neighbours(
    vectors: Vectors, *, k: int, min_similarity: float
) -> tuple[Ints, Ints, npt.NDArray[np.float64]]:
    """The `k` other items nearest to each item by cosine, of at least `min_similarity` (> 0).

    vectors: float32[items, dimension]. Returns src, dst, cosine, each [pairs]; of equal cosines
    the smaller dst comes first.
    """
    unit = _unit(vectors)
    k = min(k, len(unit) - 1)
    found: list[tuple[Ints, Ints, npt.NDArray[np.float64]]] = []
    for start in range(0, len(unit) if k > 0 else 0, _ROWS_AT_ONCE):
        block = np.arange(start, min(start + _ROWS_AT_ONCE, len(unit)))
        # Rounded, because the last bits of a product depend on the processor and would decide ties.
        cosine = np.round(unit[block] @ unit.T, 5).astype(np.float64)
        cosine[np.arange(len(block)), block] = -np.inf
        best = largest_columns(cosine, k)
        value = np.take_along_axis(cosine, best, axis=1).ravel()
        near = value >= min_similarity
        found.append((np.repeat(block, k)[near], best.ravel()[near], value[near]))
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    src, dst, value = (np.concatenate(part) for part in zip(*found, strict=True))
    return src, dst, value


def text_clusters(vectors: Vectors, *, n_clusters: int, seed: int) -> Ints:
    """Cluster of each item, by k-means on unit vectors with k-means++ starts (Arthur 2007).

    vectors: float32[items, dimension]. Returns int64[items], from 0; fewer clusters than n_clusters
    when there are fewer distinct vectors.
    """
    unit = _unit(vectors).astype(np.float64)
    wanted = min(n_clusters, len(np.unique(unit, axis=0)))
    if wanted < 2:
        return np.zeros(len(unit), dtype=np.int64)
    _, label = kmeans2(unit, wanted, iter=_ROUNDS, minit="++", rng=np.random.default_rng(seed))
    return np.asarray(label, dtype=np.int64)


def cluster_names(texts: Iterable[str], labels: Ints) -> dict[int, str]:
    """Name each cluster by its three most typical words: frequent in its texts and rare in others.

    A word's score is p log(p / q), with p its share of the cluster's texts and q its share of all
    texts. Clusters that would have the same name, or none, get their number appended.
    """
    words = [set(_WORD.findall(text.lower())) for text in texts]
    overall = Counter(word for text in words for word in text)
    names = {}
    for label in np.unique(labels):
        members = [words[place] for place in np.flatnonzero(labels == label)]
        inside = Counter(word for text in members for word in text)
        scores = {
            word: n / len(members) * np.log(n / len(members) * len(words) / overall[word])
            for word, n in inside.items()
        }
        best = sorted(scores, key=lambda word: (-scores[word], word))[:_WORDS_IN_A_NAME]
        names[int(label)] = " ".join(best)
    shared = {name for name, n in Counter(names.values()).items() if n > 1 or not name}
    return {k: f"{name} {k}".strip() if name in shared else name for k, name in names.items()}


def semantic_edges(
    items: pd.DataFrame, *, k: int, min_similarity: float, n_clusters: int, seed: int
) -> pd.DataFrame:
    """Edges from texts: src, dst, kind, weight.

    items: item_id, text, vector. Kinds: item_text between text neighbours, with the cosine as
    weight; item_interest from an item to the interest `t:~<name of its cluster>`, with weight 1.
    """
    ordered = items.sort_values("item_id", ignore_index=True)
    ids = np.array([vertex(ITEM, item) for item in ordered["item_id"]], dtype=object)
    vectors = np.stack(ordered["vector"].to_list()).astype(np.float32)
    src, dst, cosine = text_neighbours(vectors, k=k, min_similarity=min_similarity)
    near = pd.DataFrame(
        {
            "src": ids[src],
            "dst": ids[dst],
            "kind": "item_text",
            "weight": cosine,
        }
    )
    if not n_clusters:
        return near
    labels = text_clusters(vectors, n_clusters=n_clusters, seed=seed)
    names = cluster_names(ordered["text"].fillna(""), labels)
    interest = [vertex(INTEREST, f"~{names[int(label)]}") for label in labels]
    about = pd.DataFrame({"src": ids, "dst": interest, "kind": "item_interest", "weight": 1.0})
    return pd.concat([near, about], ignore_index=True)


def _unit(vectors: Vectors) -> Vectors:
    """Rows divided by their lengths; rows of zeros stay zeros."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1.0), dtype=np.float32)
