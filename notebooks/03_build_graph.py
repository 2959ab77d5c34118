# Databricks notebook source
# MAGIC %md
# MAGIC # 3. From facts to the interest graph
# MAGIC Interest is what a user's actions say at one moment: the weights of their actions, halved
# MAGIC every `half_life_days`. Run notebook 1 first, with the same folder.

# COMMAND ----------

dbutils.widgets.text("folder", "interest-graph-walk")
folder = dbutils.widgets.get("folder")

# COMMAND ----------

from interest_graph import GraphConfig, Pipeline, tables, weigh_edges

pipeline = Pipeline.open(f"{folder}/walk.yaml")

# COMMAND ----------

# MAGIC %md
# MAGIC ## One function
# MAGIC A shorter half-life makes old events count less. Functions take and return frames; nothing
# MAGIC is written.

# COMMAND ----------

facts = pipeline.read(tables.INTERACTIONS)
for half_life_days in (3.0, 30.0):
    config = GraphConfig(half_life_days=half_life_days)
    edges = weigh_edges(facts, as_of=pipeline.as_of, config=config)
    display(edges.selectExpr(f"{half_life_days} AS half_life_days", "sum(weight)", "count(*)"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## The step
# MAGIC It prunes, connects items that the same users chose, adds interests, and measures the graph
# MAGIC before and after.

# COMMAND ----------

pipeline.run("build_graph")
display(pipeline.read(tables.EDGES).groupBy("kind").count())

# COMMAND ----------

metrics = pipeline.read(tables.GRAPH_METRICS)
display(metrics.groupBy("metric").pivot("stage", ["before", "after"]).max("value"))

# COMMAND ----------

# MAGIC %md
# MAGIC The structure of each vertex: core number, rank, community.

# COMMAND ----------

structure = pipeline.read(tables.COMMUNITIES)
display(structure.orderBy("weighted_pagerank", ascending=False).limit(5))
