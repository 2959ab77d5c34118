# Databricks notebook source
# MAGIC %md
# MAGIC # 4. From the graph to a model
# MAGIC Users are divided into shards, each user with all of their edges. Each shard is trained by
# MAGIC one Spark task. Between rounds, the shards exchange only what they learnt about the items.
# MAGIC Run notebooks 1 and 3 first, with the same folder.

# COMMAND ----------

dbutils.widgets.text("folder", "interest-graph-walk")
folder = dbutils.widgets.get("folder")

# COMMAND ----------

from interest_graph import Pipeline, tables

pipeline = Pipeline.open(f"{folder}/walk.yaml")
pipeline.run("train")

# COMMAND ----------

display(pipeline.read(tables.SHARDS).groupBy("shard_id").count())

# COMMAND ----------

# MAGIC %md
# MAGIC Loss and validation metric of each round. A run that was killed goes on after its last
# MAGIC finished round.

# COMMAND ----------

log = pipeline.read(tables.TRAINING_LOG).select("round", "shard_id", "loss", "metric", "seconds")
display(log.orderBy("round", "shard_id"))

# COMMAND ----------

display(pipeline.read(tables.EMBEDDINGS).groupBy("kind").count())

# COMMAND ----------

# MAGIC %md
# MAGIC Where the model comes from: its settings, its graph, and the as-of time.

# COMMAND ----------

display(pipeline.read(tables.MODELS).select("model_run", "model", "graph_version", "as_of"))
