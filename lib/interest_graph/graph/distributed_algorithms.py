"""Structure of a graph of any size: GraphFrames, and DataFrame iterations where it is wrong.

GraphFrames 0.10.0 returns the degree as core number, and its PageRank and label propagation ignore
weights; these three are written here.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from graphframes import GraphFrame
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from interest_graph.config.graph import StructureConfig

Tell = Callable[[str], None]

_TIE_DIGITS = 9  # as in kernels
_STILL_ROUNDS = 4  # as in kernels


def say_nothing(_: str) -> None:
    """A Tell for callers who do not watch the rounds."""


def undirected_links(edges: DataFrame) -> DataFrame:
    """Both directions of every edge: src, dst, w; parallel edges summed, self-loops dropped."""
    one_way = edges.where("src <> dst").select("src", "dst", F.col("weight").alias("w"))
    other_way = one_way.select(F.col("dst").alias("src"), F.col("src").alias("dst"), "w")
    both = one_way.unionAll(other_way).groupBy("src", "dst").agg(F.sum("w").alias("w"))
    return both.repartition("src").localCheckpoint()


def components(vertices: DataFrame, links: DataFrame) -> DataFrame:
    """id, component: the smallest id that is connected with the vertex.

    vertices: id BIGINT; links: src, dst, both directions.
    """
    one_way = links.where("src < dst").select("src", "dst")
    # The default algorithm takes eight times as long on a million edges.
    graph = GraphFrame(vertices.select("id"), one_way)
    found: DataFrame = graph.connectedComponents(algorithm="graphx")
    return found.select(
        "id", F.col("component").cast("bigint").alias("component")
    ).localCheckpoint()


def degrees(vertices: DataFrame, links: DataFrame) -> DataFrame:
    """id, degree, weighted_degree; 0 for a vertex without links."""
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
    tell: Tell = say_nothing,
) -> DataFrame:
    """id, pagerank, weighted_pagerank: as kernels.pagerank, both in one pass a round.

    degrees: id, degree, weighted_degree; restart: id of the vertices where the walk restarts,
    all by default; tell: hears of each round.
    """
    homes = degrees.select("id") if restart is None else restart.select("id")
    share = F.lit(1.0 / homes.count())
    home = homes.withColumn("_home", share)
    start = degrees.join(home, "id", how="left").fillna(0.0, subset=["_home"])
    ranks = start.select("*", F.col("_home").alias("_r"), F.col("_home").alias("_wr"))
    for number in range(1, settings.max_rank_rounds + 1):
        moved = _rank_round(ranks, links, settings.damping).localCheckpoint()
        ranks = moved.drop("_change")
        change = float(moved.agg(F.sum("_change")).first()[0])  # type: ignore[index]
        tell(f"ranks, round {number}: moved by {change:.1e}")
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

    # Every vertex has an edge here, so no rank is lost on the way.
    def step(received: str) -> Column:
        arrived = F.coalesce(F.col(received), F.lit(0.0))
        return arrived * damping + F.col("_home") * (1 - damping)

    change = F.abs(step("_in") - F.col("_r")) + F.abs(step("_win") - F.col("_wr"))
    kept = ("id", "degree", "weighted_degree", "_home")
    new = (step("_in").alias("_r"), step("_win").alias("_wr"), change.alias("_change"))
    return ranks.join(sums, "id", how="left").select(*kept, *new)


def core_numbers(degrees: DataFrame, links: DataFrame, *, tell: Tell = say_nothing) -> DataFrame:
    """id, core_number: largest k whose k-core holds the vertex.

    Each vertex repeatedly takes the h-index of its neighbours' values, from the degree on; the
    fixed point is the core number (Lü et al. 2016, The H-index of a network node).
    """
    cores = degrees.select("id", F.col("degree").alias("core_number"))
    for number in count(1):
        lowered = _h_index_round(cores, links).localCheckpoint()
        cores = lowered.drop("_lower")
        n_lowered = lowered.where("_lower").count()
        tell(f"core numbers, round {number}: {n_lowered:,} lowered")
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
    vertices: DataFrame, links: DataFrame, *, rounds: int, tell: Tell = say_nothing
) -> DataFrame:
    """id, community: as kernels.propagate_labels."""
    labels = vertices.select("id", F.col("id").alias("label"))
    still = 0
    for number in range(1, rounds + 1):
        moved = _label_round(labels, links, number).localCheckpoint()
        n_moved = moved.where("_moved").count()
        tell(f"communities, round {number}: {n_moved:,} changed")
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
    """kernels.moves_in_round in Spark's terms."""
    mixed = F.pmod(vertex * 1_103_515_245 + (number * 12_820_163 + 12_345), F.lit(2_147_483_648))
    return F.shiftright(mixed, 16) % 2 == 0


def contract(labels: DataFrame, links: DataFrame) -> DataFrame:
    """The graph of communities: src, dst, weight between them; a community's inside is a loop.

    labels: id, community. Each link is in `links` twice, as src, dst and as dst, src.
    """
    src = labels.select(F.col("id").alias("src"), F.col("community").alias("_src"))
    dst = labels.select(F.col("id").alias("dst"), F.col("community").alias("_dst"))
    placed = links.where("src < dst").join(src, "src", how="inner").join(dst, "dst", how="inner")
    between = placed.groupBy(F.col("_src").alias("src"), F.col("_dst").alias("dst"))
    return between.agg(F.sum("w").alias("weight"))


def triangles(degrees: DataFrame, links: DataFrame) -> DataFrame:
    """id, triangles, clustering: as communities.triangles."""
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
