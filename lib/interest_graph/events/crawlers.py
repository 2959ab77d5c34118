"""User agents of crawlers, by the patterns of the crawler-user-agents list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

CRAWLER = "crawler_agent"


def mark_crawlers(records: DataFrame) -> DataFrame:
    """Adds `_is_crawler` and drops user_agent, which nothing needs any more.

    Each distinct user agent is looked up once: a log holds far fewer of them than records, and the
    list has more than a thousand patterns.
    """
    agents = records.select("user_agent").where("user_agent IS NOT NULL").distinct()
    crawlers = agents.mapInPandas(_crawlers_among, "user_agent STRING, _is_crawler BOOLEAN")
    marked = records.join(F.broadcast(crawlers), "user_agent", how="left")
    return marked.withColumn("_is_crawler", F.coalesce("_is_crawler", F.lit(False))).drop(
        "user_agent"
    )


def _crawlers_among(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    from crawleruseragents import is_crawler  # reads its list when imported: in workers alone

    for agents in batches:
        found = agents[[is_crawler(agent) for agent in agents["user_agent"]]]
        yield found.assign(_is_crawler=True)


def drop_reason_of_crawlers(records: DataFrame) -> DataFrame:
    """`_is_crawler` as a `drop_reason`."""
    reason = F.when(F.col("_is_crawler"), F.lit(CRAWLER))
    return records.withColumn("drop_reason", reason).drop("_is_crawler")
