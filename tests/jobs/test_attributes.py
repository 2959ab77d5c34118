"""Attributes in tables: statistics are fitted once and kept."""

from __future__ import annotations

import pytest

from interest_graph import tables
from interest_graph.errors import ConfigError, MissingTableError
from interest_graph.jobs.featurize import JOB, write_attributes

AGE = {"user_attributes": {"age": {"scale": "standard"}}}


@pytest.fixture
def featurize(open_pipeline):
    """featurize(users, **settings): writes users' attributes, transforms them; returns the job."""

    def run(users, *, whole_step=False, **settings):
        pipeline = open_pipeline(features=settings)
        if users is not None:
            rows = [(name, attributes) for name, attributes in users.items()]
            pipeline.store.replace(
                tables.USERS, pipeline.spark.createDataFrame(rows, tables.USERS.schema)
            )
        pipeline.run(JOB) if whole_step else write_attributes(pipeline)
        return pipeline

    return run


def ages(pipeline):
    rows = pipeline.store.read(tables.ATTRIBUTE_FEATURES).collect()
    return {row.key: (row.attributes["age"], row.imputed) for row in rows}


def test_kept_statistics_serve_later_rows_until_they_are_fitted_anew(featurize):
    today = {"a": {"age": "20"}, "b": {"age": "40"}, "c": {"age": "old"}}
    first = featurize(today, whole_step=True, **AGE)
    assert ages(first) == {"a": (-1, []), "b": (1, []), "c": (0, ["age"])}
    assert first.rows["users.imputed"] == 1

    tomorrow = {**today, "d": {"age": "60"}}
    later = featurize(tomorrow, user_attributes={"age": {"scale": "min_max", "impute": 0}})
    assert ages(later) == {"a": (0, []), "b": (1, []), "c": (-1, ["age"]), "d": (2, [])}
    assert (first.rows["attributes fitted"], later.rows["attributes fitted"]) == (
        1,
        0,
    )

    anew = featurize(None, fit_attributes="every_run", **AGE)
    assert ages(anew)["b"] == (0, [])
    (row,) = anew.store.read(tables.ATTRIBUTE_STATISTICS).collect()
    assert (row.mean, row.n_values, row.n_not_numbers) == (40, 3, 1)
    assert row.fitted_as_of.isoformat() == "2024-01-31T00:00:00"

    assert ages(featurize(None)) == {}


def test_a_wrong_attribute_is_one_clear_line_before_any_table_is_touched(featurize):
    users = {"a": {"age": "20", "country": "NL"}}
    with pytest.raises(MissingTableError, match=r"silver.users: does not exist yet; the ingest"):
        featurize(None, **AGE)

    unknown = r"^features.user_attributes.aeg: silver.users holds .*; allowed: age, country$"
    with pytest.raises(ConfigError, match=unknown):
        featurize(users, user_attributes={"age": {}, "aeg": {}})
    with pytest.raises(ConfigError, match=r"country: no value of it in silver.users is a number"):
        featurize(None, user_attributes={"country": {}})

    pipeline = featurize(None)
    assert not pipeline.store.exists(tables.ATTRIBUTE_STATISTICS)
    assert not pipeline.store.exists(tables.ATTRIBUTE_FEATURES)
