"""Attributes in tables: statistics are fitted once and kept."""

from __future__ import annotations

import pytest

from interest_graph import tables
from interest_graph.errors import ConfigError, MissingTableError
from interest_graph.job import Run
from interest_graph.jobs.featurize import JOB, write_attributes

AGE = {"user_attributes": {"age": {"scale": "standard"}}}


@pytest.fixture
def featurize(open_pipeline):
    """featurize(users, **settings): writes users' attributes, transforms them; returns the run."""

    def featurize(users, *, whole_job=False, **settings):
        pipeline = open_pipeline(features=settings)
        if users is not None:
            rows = [(name, attributes) for name, attributes in users.items()]
            pipeline.store.replace(
                tables.USERS, pipeline.spark.createDataFrame(rows, tables.USERS.schema)
            )
        if whole_job:
            pipeline.run(JOB)
            return pipeline.last_run
        opened = Run(JOB, pipeline.settings, pipeline.spark, pipeline.as_of)
        write_attributes(opened)
        return opened

    return featurize


def ages(run):
    rows = run.store.read(tables.ATTRIBUTE_FEATURES).collect()
    return {row.key: (row.attributes["age"], row.imputed) for row in rows}


def test_kept_statistics_serve_later_rows_until_they_are_fitted_anew(featurize):
    today = {"a": {"age": "20"}, "b": {"age": "40"}, "c": {"age": "old"}}
    first = featurize(today, whole_job=True, **AGE)
    assert ages(first) == {"a": (-1, []), "b": (1, []), "c": (0, ["age"])}
    assert first.rows["users.imputed"] == 1

    tomorrow = {**today, "d": {"age": "60"}}
    later = featurize(tomorrow, user_attributes={"age": {"scale": "min_max", "impute": 0}})
    assert ages(later) == {"a": (0, []), "b": (1, []), "c": (-1, ["age"]), "d": (2, [])}
    assert [each.rows["attributes fitted"] for each in (first, later)] == [1, 0]

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

    run = featurize(None)
    assert not run.store.exists(tables.ATTRIBUTE_STATISTICS)
    assert not run.store.exists(tables.ATTRIBUTE_FEATURES)
