"""Graph algorithms over Spark DataFrames, for graphs of any size; each as in local_algorithms.

Connected components and triangles come from GraphFrames. Core numbers, PageRank and label
propagation are written here as DataFrame iterations: GraphFrames 0.10.0 returns the degree as core
number and ignores weights in the other two. Vertices are numbers (id BIGINT); `links` are edges in
both directions as from `undirected_links`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from graphframes import GraphFrame
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from interest_graph.config.graph import StructureConfig

Report = Callable[[str], None]

_TIE_DIGITS = 9  # as in local_algorithms
_STILL_ROUNDS = 4  # as in local_algorithms


def no_report(_: str) -> None:
    """A Report that does nothing."""


def undirected_links(edges: DataFrame) -> DataFrame:
    """Both directions of every edge: src, dst, w; parallel edges added up, self-loops dropped.

    edges: src, dst, weight. Materialised by a local checkpoint.
    """
    one_way = edges.where("src <> dst").select("src", "dst", F.col("weight").alias("w"))
    other_way = one_way.select(F.col("dst").alias("src"), F.col("src").alias("dst"), "w")
    both = one_way.unionAll(other_way).groupBy("src", "dst").agg(F.sum("w").alias("w"))
    return both.repartition("src").localCheckpoint()


def components(vertices: DataFrame, links: DataFrame) -> DataFrame:
    """Connected components: id, component, the smallest id of the component.

    vertices: id BIGINT; links: src, dst, both directions.
    """
    one_way = links.where("src < dst").select("src", "dst")
    # GraphFrames' default algorithm takes eight times as long on a million edges.
    graph = GraphFrame(vertices.select("id"), one_way)
    found: DataFrame = graph.connectedComponents(algorithm="graphx")
    return found.select(
        "id", F.col("component").cast("bigint").alias("component")
    ).localCheckpoint()


def degrees(vertices: DataFrame, links: DataFrame) -> DataFrame:
    """Degrees: id, degree, weighted_degree; 0 for a vertex without links."""
    counted = links.groupBy(F.col("src").alias("id")).agg(
        F.count("*").alias("degree"), F.sum("w").alias("weighted_degree")
    )
    return vertices.select("id").join(counted, "id", how="left").fillna(0).localCheckpoint()


def pagerank(
    degrees: DataFrame,
    links: DataFrame,
    settings: StructureConfig,
    restart: DataFrame | None = None,
    *,
    report: Report = no_report,
) -> DataFrame:
    """Unweighted and weighted PageRank, computed together: id, pagerank, weighted_pagerank.

    As local_algorithms.pagerank. degrees: id, degree, weighted_degree; restart: id of the vertices
    where the walk restarts, all by default; report: called with a line after each round.
    """
    sources = degrees.select("id") if restart is None else restart.select("id")
    share = F.lit(1.0 / sources.count())
    restarts = sources.withColumn("_restart", share)
    start = degrees.join(restarts, "id", how="left").fillna(0.0, subset=["_restart"])
    ranks = start.select("*", F.col("_restart").alias("_r"), F.col("_restart").alias("_wr"))
    for number in range(1, settings.max_rank_rounds + 1):
        moved = _rank_round(ranks, links, settings.damping).localCheckpoint()
        ranks = moved.drop("_change")
        change = float(moved.agg(F.sum("_change")).first()[0])  # type: ignore[index]
        report(f"ranks, round {number}: moved by {change:.1e}")
        if change < settings.rank_tolerance:
            break
    return ranks.select(
        "id", F.col("_r").alias("pagerank"), F.col("_wr").alias("weighted_pagerank")
    )


def _rank_round(ranks: DataFrame, links: DataFrame, damping: float) -> DataFrame:
    shares = ranks.where("degree > 0").select(
        F.col("id").alias("src"),
        (F.col("_r") / F.col("degree")).alias("_s"),
        (F.col("_wr") / F.col("weighted_degree")).alias("_ws"),
    )
    received = links.join(shares, "src", how="inner").groupBy(F.col("dst").alias("id"))
    sums = received.agg(F.sum("_s").alias("_in"), F.sum(F.col("_ws") * F.col("w")).alias("_win"))

    # Every vertex has an edge, so all rank is passed on and the sum stays 1.
    def updated(received: str) -> Column:
        arrived = F.coalesce(F.col(received), F.lit(0.0))
        return arrived * damping + F.col("_restart") * (1 - damping)

    change = F.abs(updated("_in") - F.col("_r")) + F.abs(updated("_win") - F.col("_wr"))
    kept = ("id", "degree", "weighted_degree", "_restart")
    new = (updated("_in").alias("_r"), updated("_win").alias("_wr"), change.alias("_change"))
    return ranks.join(sums, "id", how="left").select(*kept, *new)


def core_numbers(degrees: DataFrame, links: DataFrame, *, report: Report = no_report) -> DataFrame:
    """Core numbers: id, core_number, the largest k such that the vertex is in the k-core.

    Starting from its degree, each vertex repeatedly takes the h-index of its neighbours' values;
    the fixed point is the core number (Lü et al. 2016, The H-index of a network node).
    degrees: id, degree; report: called with a line after each round.
    """
    cores = degrees.select("id", F.col("degree").alias("core_number"))
    for number in count(1):
        lowered = _h_index_round(cores, links).localCheckpoint()
        cores = lowered.drop("_lower")
        n_lowered = lowered.where("_lower").count()
        report(f"core numbers, round {number}: {n_lowered:,} lowered")
        if not n_lowered:
            break
    return cores


def _h_index_round(cores: DataFrame, links: DataFrame) -> DataFrame:
    neighbours = cores.select(F.col("id").alias("src"), F.col("core_number").alias("_value"))
    seen = links.join(neighbours, "src", how="inner").groupBy(F.col("dst").alias("id"))
    sorted_values = seen.agg(F.sort_array(F.collect_list("_value"), asc=False).alias("_values"))
    reached = F.filter("_values", lambda value, place: value > place)
    h_index = F.least(F.size(reached).cast("bigint"), F.col("core_number"))
    lower = F.coalesce(h_index, F.lit(0)).alias("_h")
    both = cores.join(sorted_values, "id", how="left").select("id", "core_number", lower)
    changed = (F.col("_h") < F.col("core_number")).alias("_lower")
    return both.select("id", F.col("_h").cast("bigint").alias("core_number"), changed)


def propagate_labels(
    vertices: DataFrame, links: DataFrame, *, rounds: int, report: Report = no_report
) -> DataFrame:
    """Label propagation: id, community, as local_algorithms.propagate_labels.

    rounds: at most so many; report: called with a line after each round.
    """
    labels = vertices.select("id", F.col("id").alias("label"))
    still = 0
    for number in range(1, rounds + 1):
        moved = _label_round(labels, links, number).localCheckpoint()
        n_moved = moved.where("_moved").count()
        report(f"communities, round {number}: {n_moved:,} changed")
        still = 0 if n_moved else still + 1
        labels = moved.drop("_moved")
        if still == _STILL_ROUNDS:
            break
    names = labels.groupBy("label").agg(F.min("id").alias("community"))
    return labels.join(names, "label", how="inner").select("id", "community")


def _label_round(labels: DataFrame, links: DataFrame, number: int) -> DataFrame:
    heard = labels.select(F.col("id").alias("src"), F.col("label").alias("_label"))
    votes = links.join(heard, "src", how="inner").groupBy(F.col("dst").alias("id"), "_label")
    weights = votes.agg(F.round(F.sum("w"), _TIE_DIGITS).alias("_votes"))
    smallest_of_ties = F.expr("max(struct(_votes, -_label AS _negative))")
    heaviest = weights.groupBy("id").agg(smallest_of_ties.alias("_best"))
    both = labels.join(heaviest, "id", how="left")
    asked = _moves_in_round(F.col("id"), number) & F.col("_best").isNotNull()
    label = F.when(asked, -F.col("_best._negative")).otherwise(F.col("label"))
    return both.select("id", label.alias("label"), (label != F.col("label")).alias("_moved"))


def _moves_in_round(vertex: Column, number: int) -> Column:
    """local_algorithms.moves_in_round as a column."""
    mixed = F.pmod(vertex * 1_103_515_245 + (number * 12_820_163 + 12_345), F.lit(2_147_483_648))
    return F.shiftright(mixed, 16) % 2 == 0


def contract(labels: DataFrame, links: DataFrame) -> DataFrame:
    """The graph whose vertices are communities: src, dst, weight, added up over their links.

    Links within a community become a self-loop. labels: id, community.
    """
    src = labels.select(F.col("id").alias("src"), F.col("community").alias("_src"))
    dst = labels.select(F.col("id").alias("dst"), F.col("community").alias("_dst"))
    placed = links.where("src < dst").join(src, "src", how="inner").join(dst, "dst", how="inner")
    between = placed.groupBy(F.col("_src").alias("src"), F.col("_dst").alias("dst"))
    return between.agg(F.sum("w").alias("weight"))


def triangles(degrees: DataFrame, links: DataFrame) -> DataFrame:
    """Triangles and clustering coefficient: id, triangles, clustering.

    As local_algorithms.triangles. degrees: id, degree.
    """
    one_way = links.where("src < dst").select("src", "dst")
    graph = GraphFrame(degrees.select("id"), one_way)
    counted: DataFrame = graph.triangleCount(StorageLevel.MEMORY_AND_DISK)
    counts = counted.select("id", F.col("count").cast("bigint").alias("triangles"))
    joined = degrees.join(counts, "id", how="left").withColumn(
        "_pairs", F.expr("degree * (degree - 1) / 2")
    )
    share = F.when(F.col("_pairs") > 0, F.col("triangles") / F.col("_pairs")).otherwise(0.0)
    return joined.select(
        "id", F.coalesce("triangles", F.lit(0)).alias("triangles"), share.alias("clustering")
    )


def components_of_two_edges(spark: SparkSession) -> int:
    """Return the number of connected components of a-b, c-d; two where GraphFrames works."""
    edges = spark.createDataFrame([(1, 2), (3, 4)], "src BIGINT, dst BIGINT")
    vertices = spark.range(1, 5)
    components = GraphFrame(vertices, edges).connectedComponents(algorithm="graphx")
    return int(components.select("component").distinct().count())
