"""Whether the rounds of a training can be one barrier job, and with how many tasks."""

from __future__ import annotations

from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from interest_graph.config import TrainConfig
from interest_graph.errors import ConfigError
from interest_graph.train.sharding.memory_model import Costs
