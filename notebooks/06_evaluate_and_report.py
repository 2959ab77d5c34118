# Databricks notebook source
# MAGIC %md
# MAGIC # 6. How good are the lists?
# MAGIC Of each item, some users are held out. The model and the baselines are fitted to the rest,
# MAGIC and each ranks all items for every user: the better lists have more of the held-out items,
# MAGIC further up. Run notebooks 1, 3 and 4 first, with the same folder.

# COMMAND ----------

dbutils.widgets.text("folder", "interest-graph-walk")
folder = dbutils.widgets.get("folder")

# COMMAND ----------

from interest_graph import Pipeline, tables

pipeline = Pipeline.open(f"{folder}/walk.yaml")
pipeline.run("evaluate")

# COMMAND ----------

metrics = pipeline.read(tables.METRICS)
display(metrics.groupBy("model").pivot("metric", ["ndcg", "recall", "coverage"]).max("value"))

# COMMAND ----------

# MAGIC %md
# MAGIC The report is one file that needs no network.

# COMMAND ----------

pipeline.run("report")
display(pipeline.read(tables.RUNS).select("job", "status", "seconds", "rows"))
