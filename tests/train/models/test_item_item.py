"""What models of item-item weights say when there are none."""

from __future__ import annotations

import pytest

from interest_graph.cache_scope import persistent_rdds
from interest_graph.config import TrainConfig
from interest_graph.errors import TrainingError
from interest_graph.train.registry import make_model

EDGES = "user_id STRING, item_id STRING, weight DOUBLE"


@pytest.mark.parametrize("name", ["ease", "local_ease"])
def test_items_that_are_all_alike_need_more_of_the_setting_that_is_named(spark, name, tmp_path):
    alike = [(f"u{user}", f"i{item}", 1.0) for user in range(4) for item in range(3)]
    settings = {"l2": [1e-300], "item_exponent": 0.0}
    tree = {"ease": settings, "local_ease": {**settings, "user_exponent": 0.0}}
    model = make_model(name, spark, TrainConfig.model_validate(tree), str(tmp_path))
    before = persistent_rdds(spark)

    with pytest.raises(TrainingError) as caught:
        model.fit(spark.createDataFrame(alike, EDGES))

    assert str(caught.value).endswith(f"is not positive definite; raise train.{name}.l2")
    assert persistent_rdds(spark) <= before
