"""What consumers read: recommendations and their quality."""

from __future__ import annotations

from interest_graph.contract import Table

RECOMMENDATIONS = Table(
    name="gold.recommendations",
    columns="""
        user_id       STRING NOT NULL COMMENT 'for whom',
        rank          INT NOT NULL COMMENT 'from 1',
        item_id       STRING NOT NULL COMMENT 'what',
        score         DOUBLE NOT NULL COMMENT 'comparable within one user only',
        strategy      STRING NOT NULL COMMENT 'model, or popularity for users without history',
        reason        STRING NOT NULL COMMENT 'one line for people, from the graph path',
        model_run     STRING NOT NULL COMMENT 'training run behind the score',
        graph_version STRING NOT NULL COMMENT 'graph behind the score and the reason',
        as_of         TIMESTAMP NOT NULL COMMENT 'nothing later was seen'""",
    key=("user_id", "rank"),
    writer="recommend",
    comment="Top items per user, best first, with reasons and lineage",
    checks={"rank_from_one": "rank >= 1"},
)

METRICS = Table(
    name="gold.metrics",
    columns="""
        split     STRING NOT NULL COMMENT 'random, time or given, with its parameters',
        model     STRING NOT NULL COMMENT 'the configured model or a baseline',
        is_ours   BOOLEAN NOT NULL COMMENT 'true for the configured model',
        metric    STRING NOT NULL COMMENT 'precision, recall, f1, ndcg, mrr, map, hit_rate ...',
        k         INT NOT NULL COMMENT 'list length',
        value     DOUBLE NOT NULL COMMENT 'mean over users; coverage: share of items',
        n_users   BIGINT NOT NULL COMMENT 'users with hold-out items and a train history',
        lead      DOUBLE COMMENT 'ours minus this model, same users; null for ours',
        lead_low  DOUBLE COMMENT 'lower end of the 95% confidence interval of lead',
        lead_high DOUBLE COMMENT 'upper end of the 95% confidence interval of lead',
        seconds   DOUBLE NOT NULL COMMENT 'fit and top-k wall time',
        as_of     TIMESTAMP NOT NULL COMMENT 'nothing later was learnt from'""",
    key=("split", "model", "metric", "k"),
    writer="evaluate",
    comment="Ranking quality against baselines on held-out interactions",
)
