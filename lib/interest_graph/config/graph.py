"""Settings of the build_graph stage."""

from __future__ import annotations

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from interest_graph.config.base import Section


class GraphConfig(Section):
    """Weights, projection and pruning of the interest graph."""

    action_weights: dict[str, PositiveFloat] = {}  # an action that is not listed weighs 1
    half_life_days: PositiveFloat = 30.0  # an event this old counts half
    min_weight: NonNegativeFloat = 0.0  # lighter user-item edges are pruned
    edges_per_user: PositiveInt = 500  # heaviest user-item edges kept per user
    neighbours_per_item: PositiveInt = 50  # heaviest item-item edges kept per item
