# Databricks notebook source
# MAGIC %md
# MAGIC # 1. From log files to facts
# MAGIC This notebook makes up the click log of a small shop, describes it in a YAML file, takes it
# MAGIC in and cleans it. The other notebooks go on in the same folder. On a cluster, set the
# MAGIC `folder` widget to a place that driver and executors share, for example a folder of a Unity
# MAGIC Catalog volume.

# COMMAND ----------

dbutils.widgets.text("folder", "interest-graph-walk")
folder = dbutils.widgets.get("folder")

# COMMAND ----------

# MAGIC %md
# MAGIC ## The input
# MAGIC There are four groups of shoppers, each with a taste, and 15 products for each taste. Some
# MAGIC lines of the log are repeated, as happens when a client sends again, and some are broken.

# COMMAND ----------

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

TASTES = {
    "garden": "plants, pots and tools for the garden",
    "kitchen": "knives, pans and spices for the kitchen",
    "music": "instruments, strings and notes for music",
    "travel": "bags, maps and tents for travel",
}
dice = random.Random(7)
start = datetime(2024, 2, 1, tzinfo=UTC)


def event(number):
    """One line of the log: mostly a product of the user's own taste."""
    user = dice.randrange(80)
    taste = user % 4 if dice.random() < 0.85 else dice.randrange(4)
    product = 15 * taste + min(int(dice.expovariate(0.2)), 14)
    moment = start + timedelta(minutes=20 * number + dice.randrange(20))
    action = dice.choices(["view", "cart", "purchase"], [8, 2, 1])[0]
    return {"user": f"u{user}", "product": f"p{product}", "do": action, "at": moment.isoformat()}


events = [event(number) for number in range(2000)]
broken = [
    {**events[0], "user": None},
    {**events[1], "at": "yesterday"},
    {**events[2], "at": "2031-01-01T00:00:00+00:00"},
]
lines = [json.dumps(record) for record in events + events[:50] + broken] + ["{not json"]
products = [
    json.dumps({"id": f"p{15 * i + j}", "name": f"{taste} {j}", "about": about, "tags": taste})
    for i, (taste, about) in enumerate(TASTES.items())
    for j in range(15)
]
Path(folder, "input").mkdir(parents=True, exist_ok=True)
Path(folder, "input", "log.jsonl").write_text("\n".join(lines) + "\n")
Path(folder, "input", "products.jsonl").write_text("\n".join(products) + "\n")

# COMMAND ----------

# MAGIC %md
# MAGIC ## The pipeline's settings
# MAGIC A source needs no code: `columns` says which column of the log holds what. Every setting
# MAGIC that is left out has a default.

# COMMAND ----------

settings = f"""
project: walk
as_of: 2024-03-01T00:00:00Z
warehouse: {{table_root: {folder}/warehouse}}
sources:
  - name: clicks
    format: json
    path: {folder}/input/log.jsonl
    columns: {{user_id: user, item_id: product, action: do, event_time: at}}
  - name: products
    kind: items
    format: json
    path: {folder}/input/products.jsonl
    columns: {{item_id: id, title: name, text: about, categories: tags}}
graph:
  action_weights: {{cart: 3, purchase: 5}}
train: {{model: lightgcn, dimension: 16, n_layers: 2, max_rounds: 3, n_shards: 2}}
recommend: {{k: 5}}
evaluate: {{splits: [{{kind: random}}], k: [5], baselines: [popularity, item_knn]}}
"""
Path(folder, "walk.yaml").write_text(settings)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Ingest
# MAGIC A `Pipeline` has the settings, the Spark session, the tables, and the as-of time, after
# MAGIC which nothing is seen. A second run of `ingest` would take in nothing, because
# MAGIC `bronze.files` lists the files that were taken in. Of each record bronze has the texts as
# MAGIC received, and the position in its file: the byte at which it begins.

# COMMAND ----------

from interest_graph import Pipeline, tables

pipeline = Pipeline.open(f"{folder}/walk.yaml")
pipeline.run("ingest")
display(pipeline.read(tables.FILES).select("source", "status", "n_rows"))

# COMMAND ----------

display(pipeline.read(tables.EVENTS).select("position", "user_id", "item_id", "action").limit(5))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Clean
# MAGIC Every record becomes a fact, or is counted as a duplicate, or is kept in
# MAGIC `silver.quarantine` with the reasons why it was refused. The line that is no JSON has the
# MAGIC reason `unreadable`, and its text.

# COMMAND ----------

pipeline.run("clean")
display(pipeline.read(tables.QUARANTINE).select("reasons", "payload"))

# COMMAND ----------

facts = pipeline.read(tables.INTERACTIONS)
display(facts.select("user_id", "item_id", "action", "event_ts", "session_id").limit(5))
