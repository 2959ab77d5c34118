"""Partition, vectors, weights and logs of the models that were trained."""

from __future__ import annotations

from interest_graph.contract import Table

SHARDS = Table(
    name="model.shards",
    columns="""
        model_run STRING NOT NULL COMMENT 'training run',
        user_id   STRING NOT NULL COMMENT 'who',
        shard_id  INT NOT NULL COMMENT 'unit of training work that holds all edges of the user',
        n_edges   BIGINT NOT NULL COMMENT 'edges of the user'""",
    key=("model_run", "user_id"),
    writer="train",
    comment="The partition of users into shards",
    partition_by=("model_run",),
)

PARTITION = Table(
    name="model.partition",
    columns="""
        model_run    STRING NOT NULL COMMENT 'training run',
        shard_id     INT NOT NULL COMMENT 'shard; -1 for figures of the whole graph',
        n_users      BIGINT NOT NULL COMMENT 'its users',
        n_edges      BIGINT NOT NULL COMMENT 'its edges: all edges of its users',
        n_items      BIGINT NOT NULL COMMENT 'items that its users know',
        expected_mb  DOUBLE NOT NULL COMMENT 'memory that its worker is expected to need',
        imbalance    DOUBLE NOT NULL COMMENT 'its bytes by the mean; of the whole: the largest',
        replication  DOUBLE COMMENT 'shards that an item is in, on average; on the whole row',
        shared_edges DOUBLE COMMENT 'share of the edges whose item other shards have too',
        n_hubs       BIGINT COMMENT 'items that a tenth of the users know or more',
        hubs         ARRAY<STRING> COMMENT 'the best known of them, item_id'""",
    key=("model_run", "shard_id"),
    writer="train",
    comment="How even the shards of a run are, and what they share",
    partition_by=("model_run",),
)

EMBEDDINGS = Table(
    name="model.embeddings",
    columns="""
        model_run STRING NOT NULL COMMENT 'training run',
        model     STRING NOT NULL COMMENT 'spectral, lightgcn ...',
        kind      STRING NOT NULL COMMENT 'user or item',
        key       STRING NOT NULL COMMENT 'user_id or item_id',
        vector    ARRAY<FLOAT> NOT NULL COMMENT 'score of user and item is the inner product'""",
    key=("model_run", "model", "kind", "key"),
    writer="train",
    comment="User and item vectors by training run",
    partition_by=("model_run",),
    checks={"known_kind": "kind IN ('user', 'item')"},
)

ITEM_WEIGHTS = Table(
    name="model.item_weights",
    columns="""
        model_run STRING NOT NULL COMMENT 'training run',
        model     STRING NOT NULL COMMENT 'spectral, ease, item_knn ...',
        src       STRING NOT NULL COMMENT 'item of the history',
        dst       STRING NOT NULL COMMENT 'item that it speaks for',
        weight    FLOAT NOT NULL COMMENT 'what a history edge of weight 1 adds to dst'""",
    key=("model_run", "model", "src", "dst"),
    writer="train",
    comment="Item-item weights by training run; empty for models of vectors alone",
    partition_by=("model_run",),
)

TRAINING_LOG = Table(
    name="model.training_log",
    columns="""
        model_run      STRING NOT NULL COMMENT 'training run',
        model          STRING NOT NULL COMMENT 'spectral, lightgcn ...',
        round          INT NOT NULL COMMENT 'from 1',
        shard_id       INT NOT NULL COMMENT 'shard; -1 for figures of the whole round',
        loss           DOUBLE COMMENT 'mean loss of the round',
        metric         DOUBLE COMMENT 'validation NDCG, on whole-round rows',
        seconds        DOUBLE NOT NULL COMMENT 'wall time',
        peak_memory_mb DOUBLE NOT NULL COMMENT 'peak resident memory of the worker'""",
    key=("model_run", "model", "round", "shard_id"),
    writer="train",
    comment="Loss, metric, seconds and memory by round and shard",
    partition_by=("model_run",),
)

MODELS = Table(
    name="model.runs",
    columns="""
        model_run      STRING NOT NULL COMMENT 'training run',
        model          STRING NOT NULL COMMENT 'spectral, lightgcn ...',
        build          BIGINT NOT NULL COMMENT 'counts from 1: the largest was trained last',
        graph_version  STRING NOT NULL COMMENT 'graph that it was trained on',
        as_of          TIMESTAMP NOT NULL COMMENT 'nothing later was seen',
        parameters     STRING NOT NULL COMMENT 'training settings as JSON',
        input_versions MAP<STRING, BIGINT> NOT NULL COMMENT 'Delta versions of the tables read',
        n_users        BIGINT NOT NULL COMMENT 'users trained on',
        n_items        BIGINT NOT NULL COMMENT 'items trained on',
        n_edges        BIGINT NOT NULL COMMENT 'user-item edges trained on',
        n_rounds       INT NOT NULL COMMENT 'rounds trained'""",
    key=("model_run",),
    writer="train",
    comment="Training runs with parameters and lineage",
)

TRIALS = Table(
    name="model.trials",
    columns="""
        study          STRING NOT NULL COMMENT 'fixed settings, space and graph, digested',
        trial          INT NOT NULL COMMENT 'from 0, in the order of the study',
        model          STRING NOT NULL COMMENT 'spectral, lightgcn ...',
        graph_version  STRING NOT NULL COMMENT 'graph that it was tried on',
        state          STRING NOT NULL COMMENT 'complete, pruned, failed or interrupted',
        settings       MAP<STRING, STRING> NOT NULL COMMENT 'tried settings by name, as JSON',
        k              INT NOT NULL COMMENT 'list length of the metric',
        metric         DOUBLE COMMENT 'NDCG on held-out pairs of the train window, where complete',
        seconds        DOUBLE COMMENT 'wall time; null where interrupted',
        peak_memory_mb DOUBLE COMMENT 'JVM and Python processes on the driver host',
        error          STRING COMMENT 'one line, where failed'""",
    key=("study", "trial"),
    writer="tune",
    comment="Settings tried on a validation part of the train window",
    checks={"known_state": "state IN ('complete', 'pruned', 'failed', 'interrupted')"},
)
