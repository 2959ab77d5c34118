# Databricks notebook source
# MAGIC %md
# MAGIC # 3. From facts to the interest graph
# MAGIC A user's interest in an item is the sum of the weights of their actions on it. The weight
# MAGIC of an action halves every `half_life_days`. Run notebook 1 first, with the same folder.

# COMMAND ----------

dbutils.widgets.text("folder", "interest-graph-walk")
folder = dbutils.widgets.get("folder")

# COMMAND ----------

from interest_graph import GraphConfig, Pipeline, tables, weigh_edges

pipeline = Pipeline.open(f"{folder}/walk.yaml")

# COMMAND ----------

# MAGIC %md
# MAGIC ## One function
# MAGIC `weigh_edges` takes and returns a DataFrame and writes nothing. With a shorter half-life,
# MAGIC old events count less.

# COMMAND ----------

facts = pipeline.read(tables.INTERACTIONS)
for half_life_days in (3.0, 30.0):
    config = GraphConfig(half_life_days=half_life_days)
    edges = weigh_edges(facts, as_of=pipeline.as_of, config=config)
    display(edges.selectExpr(f"{half_life_days} AS half_life_days", "sum(weight)", "count(*)"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## The job
# MAGIC `build_graph` weighs the edges, prunes them, connects items that the same users chose, adds
# MAGIC interests, and measures the graph before and after pruning.

# COMMAND ----------

pipeline.run("build_graph")
display(pipeline.read(tables.EDGES).groupBy("kind").count())

# COMMAND ----------

metrics = pipeline.read(tables.GRAPH_METRICS)
display(metrics.groupBy("metric").pivot("stage", ["before", "after"]).max("value"))

# COMMAND ----------

# MAGIC %md
# MAGIC For each vertex: its component, communities, ranks, core number and degrees.

# COMMAND ----------

structure = pipeline.read(tables.COMMUNITIES)
display(structure.orderBy("weighted_pagerank", ascending=False).limit(5))
