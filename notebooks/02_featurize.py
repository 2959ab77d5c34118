# Databricks notebook source
# MAGIC %md
# MAGIC # 2. From item texts to vectors
# MAGIC A sentence encoder turns the texts of items into vectors, in Spark's workers. It is part of
# MAGIC the installation. Run notebook 1 first, with the same folder.

# COMMAND ----------

dbutils.widgets.text("folder", "interest-graph-walk")
folder = dbutils.widgets.get("folder")

# COMMAND ----------

from interest_graph import Pipeline, tables

pipeline = Pipeline.open(f"{folder}/walk.yaml")
pipeline.run("featurize")

# COMMAND ----------

# MAGIC %md
# MAGIC A text that has not changed, by its `text_hash`, keeps its vector. Vectors have unit
# MAGIC length, so their inner product is their cosine.

# COMMAND ----------

features = pipeline.read(tables.FEATURES)
display(features.selectExpr("item_id", "model", "text_hash", "size(vector) AS dimension").limit(5))

# COMMAND ----------

# MAGIC %md
# MAGIC The same can be done with a DataFrame of your own: two functions take `text` and add
# MAGIC `vector`.

# COMMAND ----------

from interest_graph import encode_texts, hash_texts

words = [("1", None, "a tent for two", []), ("2", None, "a guitar string", [])]
columns = "item_id STRING, title STRING, text STRING, categories ARRAY<STRING>"
hashed = hash_texts(
    spark.createDataFrame(words, columns), encoder=pipeline.settings.features.encoder
)
vectors = encode_texts(hashed, encoder=pipeline.settings.features.encoder, batch_size=32)
display(vectors.selectExpr("item_id", "slice(vector, 1, 3) AS beginning"))
