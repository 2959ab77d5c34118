"""Settings of the recommend stage."""

from __future__ import annotations

from pydantic import PositiveInt

from interest_graph.config.base import Section


class RecommendConfig(Section):
    """Which recommendations are written."""

    k: PositiveInt = 10  # items per user
