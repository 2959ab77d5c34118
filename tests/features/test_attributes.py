"""Statistics and scales of attributes against scikit-learn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from interest_graph.config.features import AttributeConfig
from interest_graph.features.attributes import apply_statistics, fit_statistics

COLUMNS = "user_id STRING, attributes MAP<STRING, STRING>"
SIGNED_LOG = FunctionTransformer(lambda x: np.sign(x) * np.log1p(np.abs(x)))
CASES = {
    "none": (7.5, []),
    "standard": ("mean", [StandardScaler()]),
    "min_max": ("median", [MinMaxScaler()]),
    "log": ("median", [SIGNED_LOG]),
    "log_standard": ("mean", [SIGNED_LOG, StandardScaler()]),
}


@pytest.fixture(scope="module")
def numbers() -> pd.DataFrame:
    """Skewed, negative, large with a small spread, constant; a fifth is missing."""
    draw = np.random.default_rng(5)
    shapes = {
        "price": draw.lognormal(3, 2, 400),
        "balance": draw.normal(-5, 40, 400),
        "seen": 1.7e9 + draw.normal(0, 1000, 400),
        "fixed": np.full(400, 0.1),
    }
    return pd.DataFrame(shapes).mask(draw.random((400, 4)) < 0.2)


def users_of(spark, frame):
    rows = [
        (str(n), {name: repr(float(x)) for name, x in row.items() if not np.isnan(x)})
        for n, row in frame.iterrows()
    ]
    return spark.createDataFrame(rows, COLUMNS)


def fit(users, names):
    return fit_statistics(users, kind="user", names=names).collect()


@pytest.fixture(scope="module")
def fitted(spark, numbers):
    return fit(users_of(spark, numbers), numbers.columns)


def test_statistics_are_those_of_numpy(fitted, numbers):
    found = pd.DataFrame([row.asDict() for row in fitted])

    found = found.set_index("attribute").loc[numbers.columns]
    logs = np.sign(numbers) * np.log1p(numbers.abs())
    expected = {
        "n_values": numbers.count(),
        "n_missing": numbers.isna().sum(),
        "mean": numbers.mean(),
        "deviation": numbers.std(ddof=0),
        "log_mean": logs.mean(),
        "log_deviation": logs.std(ddof=0),
        "lowest": numbers.min(),
        "highest": numbers.max(),
        "median": numbers.median(),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-7, atol=1e-12, err_msg=name)


def test_statistics_do_not_depend_on_order_or_partitioning(spark, numbers):
    users = users_of(spark, numbers)

    one = fit(users.coalesce(1).orderBy("user_id"), ["price", "balance"])

    assert sorted(one) == sorted(fit(users.repartition(9), ["price", "balance"]))


@pytest.mark.parametrize("scale", CASES)
def test_tomorrows_rows_are_transformed_by_todays_statistics(spark, numbers, fitted, scale):
    impute, scalers = CASES[scale]
    config = dict.fromkeys(numbers, AttributeConfig(impute=impute, scale=scale))
    tomorrow = numbers.tail(50) * 3 + 1

    rows = apply_statistics(
        users_of(spark, tomorrow), kind="user", statistics=fitted, attributes=config
    ).collect()

    transformed = pd.DataFrame([row.attributes for row in rows])
    for name in numbers:
        today, filled = numbers[[name]].dropna(), imputed(numbers[name], tomorrow[name], impute)
        expected = make_pipeline(*scalers, "passthrough").fit(today.to_numpy()).transform(filled)
        np.testing.assert_allclose(transformed[[name]], expected, rtol=1e-7, atol=1e-6)
    flags = [sorted(row.imputed) for row in rows]
    assert flags == [sorted(numbers.columns[row.isna()]) for _, row in tomorrow.iterrows()]


def imputed(today, tomorrow, impute):
    """float64[n, 1]: tomorrow's values, missing ones filled by what scikit-learn saw today."""
    fill = {"strategy": impute} if isinstance(impute, str) else {"strategy": "constant"}
    constant = None if isinstance(impute, str) else impute
    imputer = SimpleImputer(**fill, fill_value=constant).fit(today.to_numpy()[:, None])
    return imputer.transform(tomorrow.to_numpy()[:, None])


def test_what_is_no_number_is_missing_counted_imputed_and_flagged(spark):
    texts = ["1", " 3e0 ", "3D", "NaN", "Infinity", "1e999", "", None]
    rows = [(str(n), {} if text is None else {"size": text}) for n, text in enumerate(texts)]
    users = spark.createDataFrame(rows, COLUMNS)

    (found,) = statistics = fit(users, ["size"])
    transformed = apply_statistics(
        users, kind="user", statistics=statistics, attributes={"size": AttributeConfig()}
    ).collect()

    assert (found.n_values, found.n_missing, found.n_not_numbers) == (2, 6, 4)
    assert [row.attributes["size"] for row in transformed] == [-1, 1, *[0] * 6]
    assert [row.imputed for row in transformed] == [[], [], *[["size"]] * 6]
