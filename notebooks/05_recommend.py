# Databricks notebook source
# MAGIC %md
# MAGIC # 5. From a model to recommendations
# MAGIC Workers score every item for every user. Items that a user has already met are left out,
# MAGIC and users without history get what is popular. Run notebooks 1, 3 and 4 first, with the
# MAGIC same folder.

# COMMAND ----------

dbutils.widgets.text("folder", "interest-graph-walk")
folder = dbutils.widgets.get("folder")

# COMMAND ----------

from interest_graph import Pipeline, tables

pipeline = Pipeline.open(f"{folder}/walk.yaml")
pipeline.run("recommend")

# COMMAND ----------

recommendations = pipeline.read(tables.RECOMMENDATIONS)
columns = ["user_id", "rank", "item_id", "score", "reason"]
display(recommendations.where("user_id = 'u1'").select(columns).orderBy("rank"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## The same by hand
# MAGIC `top_k` ranks for any model that gives vectors, weights between items, or both.

# COMMAND ----------

from interest_graph import gather_histories, top_k

edges = [("ann", "tea", 1.0), ("ann", "cake", 2.0), ("bob", "tea", 1.0)]
histories = gather_histories(
    spark.createDataFrame(edges, "user_id STRING, item_id STRING, weight DOUBLE")
)
says = [("tea", "honey", 0.5), ("cake", "honey", 0.25), ("tea", "cake", 0.75)]
weights = spark.createDataFrame(says, "src STRING, dst STRING, weight FLOAT")
display(top_k(histories, k=2, item_weights=weights))
