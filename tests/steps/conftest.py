"""What tests of steps on a few hundred rows share."""

from __future__ import annotations

import pytest


@pytest.fixture
def interpreted(spark):
    """Plans of many windows compile for seconds; a few hundred rows do not repay that."""
    settings = {
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    }
    before = {key: spark.conf.get(key) for key in settings}
    for key, value in settings.items():
        spark.conf.set(key, value)
    yield
    for key, value in before.items():
        spark.conf.set(key, value)
