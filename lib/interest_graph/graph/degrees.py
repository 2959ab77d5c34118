"""How many edges users and items have."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def degrees_of(edges: DataFrame) -> dict[str, float]:
    """The distribution of user-item degrees, for users and for items.

    edges: src, dst, kind. Gives degree.user.mean, degree.user.max, and degree.user.from_4, the
    number of users of degree 4 to 7, for every power of two that occurs; the same of items.
    """
    of_kind = edges.where("kind = 'user_item'")
    sides = {"user": "src", "item": "dst"}
    ends = [
        of_kind.select(F.lit(side).alias("side"), F.col(end).alias("id"))
        for side, end in sides.items()
    ]
    degrees = ends[0].unionAll(ends[1]).groupBy("side", "id").agg(F.count("*").alias("n"))
    power = F.length(F.bin("n")) - 1  # of two; a logarithm could round across a boundary
    bins = degrees.groupBy("side", power.alias("power")).agg(
        F.count("*").alias("size"), F.sum("n").alias("total"), F.max("n").alias("top")
    )
    rows = bins.orderBy("side", "power").collect()  # at most 63 a side
    found: dict[str, float] = {}
    for side in sides:
        own = [row for row in rows if row["side"] == side]
        if own:
            n = sum(row["size"] for row in own)
            found[f"degree.{side}.mean"] = sum(row["total"] for row in own) / n
            found[f"degree.{side}.max"] = float(max(row["top"] for row in own))
        found |= {f"degree.{side}.from_{2 ** row['power']}": float(row["size"]) for row in own}
    return found


def effect_of_bound(edges: DataFrame, *, max_items: int) -> dict[str, float]:
    """What projecting only a user's `max_items` heaviest edges leaves out.

    edges: src, dst. Gives projection.bounded_users, how many users have more, and
    projection.pairs_kept_fraction, the share of pairs of items that still count.
    """
    n = F.least("n", F.lit(max_items))
    sizes = edges.groupBy("src").agg(F.count("*").alias("n"))
    row = sizes.agg(
        F.count_if(F.col("n") > max_items).alias("bounded"),
        F.sum(n * (n - 1)).alias("kept"),
        F.sum(F.col("n") * (F.col("n") - 1)).alias("possible"),
    ).first()
    if row is None or not row["possible"]:
        return {}
    kept = {"projection.pairs_kept_fraction": row["kept"] / row["possible"]}
    return {"projection.bounded_users": float(row["bounded"]), **kept}
