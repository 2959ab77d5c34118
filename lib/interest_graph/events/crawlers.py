"""Crawlers, found by their user agents."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def are_crawlers(agents: pa.ChunkedArray) -> pa.Array:
    """Which records are of a known crawler: bool[n]; not those without a user agent.

    Each distinct user agent is matched once against the more than a thousand patterns of the list
    crawleruseragents: logs have far fewer user agents than records.
    """
    pieces = [_among(piece.dictionary_encode()) for piece in agents.chunks]
    return pa.array(np.concatenate([np.zeros(0, bool), *pieces]))


def _among(agents: pa.DictionaryArray) -> npt.NDArray[np.bool_]:
    # The last place is that of null.
    verdicts = np.array([*map(_is_crawler, agents.dictionary.to_pylist()), False])
    numbers: npt.NDArray[np.int32] = agents.indices.fill_null(len(verdicts) - 1).to_numpy()
    return verdicts[numbers]


@lru_cache(maxsize=100_000)
def _is_crawler(agent: str) -> bool:
    from crawleruseragents import is_crawler  # reads its list on import

    return bool(is_crawler(agent))
