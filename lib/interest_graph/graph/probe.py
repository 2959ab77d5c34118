"""The smallest GraphFrames call, for checks of the environment."""

from __future__ import annotations

from graphframes import GraphFrame
from pyspark.sql import SparkSession


def components_of_two_edges(spark: SparkSession) -> int:
    """Return the number of connected components of a-b, c-d; two where GraphFrames works."""
    edges = spark.createDataFrame([(1, 2), (3, 4)], "src BIGINT, dst BIGINT")
    vertices = spark.range(1, 5)
    components = GraphFrame(vertices, edges).connectedComponents(algorithm="graphx")
    return int(components.select("component").distinct().count())
