# Databricks notebook source
# MAGIC %md
# MAGIC # 2. From item texts to vectors
# MAGIC Workers read the texts with a sentence encoder that is part of the installation. Run
# MAGIC notebook 1 first, with the same folder.

# COMMAND ----------

dbutils.widgets.text("folder", "interest-graph-walk")
folder = dbutils.widgets.get("folder")

# COMMAND ----------

from interest_graph import Pipeline, tables

pipeline = Pipeline.open(f"{folder}/walk.yaml")
pipeline.run("featurize")

# COMMAND ----------

# MAGIC %md
# MAGIC An unchanged text keeps its vector: `text_hash` tells. Vectors have unit length, so that the
# MAGIC inner product is the cosine.

# COMMAND ----------

features = pipeline.read(tables.FEATURES)
display(features.selectExpr("item_id", "model", "text_hash", "size(vector) AS dimension").limit(5))

# COMMAND ----------

# MAGIC %md
# MAGIC The same as a function, from any frame to a frame: `text` in, `vector` out.

# COMMAND ----------

from interest_graph import encode_texts, hash_texts

words = [("1", None, "a tent for two", []), ("2", None, "a guitar string", [])]
columns = "item_id STRING, title STRING, text STRING, categories ARRAY<STRING>"
hashed = hash_texts(
    spark.createDataFrame(words, columns), encoder=pipeline.settings.features.encoder
)
vectors = encode_texts(hashed, encoder=pipeline.settings.features.encoder, batch_size=32)
display(vectors.selectExpr("item_id", "slice(vector, 1, 3) AS beginning"))
