"""Caps fitted to values, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from interest_graph.config import CleanConfig
from interest_graph.config.clean import CapRule
from interest_graph.events.caps import fit_caps

RULES = {"purchase": CapRule(quantile=0.99), "dwell": CapRule(fence=3)}


def test_caps_are_quantiles_and_fences_whatever_the_partitioning(spark):
    draw = np.random.default_rng(3)
    values = {"purchase": draw.lognormal(3, 1, 500), "dwell": draw.exponential(30, 400).round()}
    rows = [(action, float(value)) for action, held in values.items() for value in held]
    rows += [("view", 1.0), ("dwell", None)]
    frame = spark.createDataFrame(rows, "action STRING, value DOUBLE")

    found = {row.action: row for row in fit_caps(frame.repartition(5), RULES).collect()}

    assert sorted(fit_caps(frame.coalesce(1), RULES).collect()) == sorted(found.values())
    lower, upper = np.quantile(values["dwell"], [0.25, 0.75], method="inverted_cdf")
    quantile = np.quantile(values["purchase"], 0.99, method="inverted_cdf")
    caps = {"purchase": quantile, "dwell": upper + 3 * (upper - lower)}
    assert {action: row.cap for action, row in found.items()} == caps
    for action, row in found.items():
        assert (row.n_values, row.highest) == (len(values[action]), values[action].max())
        assert row.n_above == (values[action] > caps[action]).sum() > 0


@pytest.mark.parametrize("rule", [{}, {"quantile": 0.9, "fence": 3}, {"quantile": 1.0}])
def test_a_cap_has_one_rule(rule):
    with pytest.raises(ValidationError):
        CapRule(**rule)


def test_an_action_has_one_cap():
    with pytest.raises(ValidationError, match="fitted_caps and value_caps both name buy"):
        CleanConfig(value_caps={"buy": 5}, fitted_caps={"buy": {"fence": 3}})
