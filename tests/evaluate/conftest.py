"""Findings as a pipeline over films would leave them; made up, and no two numbers alike."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from interest_graph.evaluate.graph_sections import Communities, Ego
from interest_graph.evaluate.sections import Findings

HOSTILE = "<script>alert('x')</script> & \"Sons\""

CLEANING = {
    "rows_in": 10_240,
    "quarantined": 87,
    "reason.no_user": 60,
    "reason.future_time": 27,
    "dropped.duplicate_event": 150,
    "dropped.bot_rate": 3,
    "kept": 10_000,
}


def graph_rows():
    before = {"edges": 9_000, "edges.user_item": 9_000, "density": 0.0631, "vertices.user": 943}
    after = {"edges": 24_000, "edges.user_item": 8_100, "density": 0.0568, "vertices.user": 940}
    before |= {"degree.item.from_1": 900, "degree.item.from_16": 120}
    after |= {"degree.item.from_1": 850, "degree.item.from_16": 110}
    after |= {"edges.item_item": 15_900, "vertices.item": 1_682}
    return [
        {"stage": stage, "metric": name, "value": float(value)}
        for stage, values in (("before", before), ("after", after))
        for name, value in values.items()
    ]


def training_rows(n_rounds=30, n_shards=2):
    rows = []
    for number in range(1, n_rounds + 1):
        own = {"model": "lightgcn", "round": number, "seconds": 1.25, "peak_memory_mb": 410.0}
        loss, metric = 0.69 * math.exp(-number / 9), 0.4 * (1 - math.exp(-number / 6))
        rows.append({**own, "shard_id": -1, "loss": loss, "metric": metric})
        for shard in range(n_shards):
            rows.append(
                {**own, "shard_id": shard, "loss": loss * (1 + 0.05 * shard), "metric": None}
            )
    return rows


def partition_rows():
    names = ("n_users", "n_edges", "n_items", "expected_mb", "imbalance")
    shared = {"replication": 1.83, "shared_edges": 0.6821, "n_hubs": 2, "hubs": ["i50", HOSTILE]}
    return [
        {
            "shard_id": -1,
            **dict(zip(names, (943, 75_066, 1_682, 571.0, 1.004), strict=True)),
            **shared,
        },
        {"shard_id": 0, **dict(zip(names, (470, 37_501, 1_501, 571.0, 1.004), strict=True))},
        {"shard_id": 1, **dict(zip(names, (473, 37_565, 1_577, 570.0, 0.996), strict=True))},
    ]


def metric_rows():
    values = {"lightgcn": 0.4612, "item_knn": 0.4417, "als": 0.4003, "popularity": 0.2525}
    measures = ("ndcg", "recall", "precision", "f1", "map", "mrr", "hit_rate", "coverage")
    rows = []
    for split, factor in (("random 0.75 seed 42", 1.0), ("time 0.75", 0.4)):
        for place, (model, ndcg) in enumerate(values.items()):
            lead = (values["lightgcn"] - ndcg) * factor if place else None
            for offset, measure in enumerate(measures):
                for k in (10, 20):
                    value = ndcg * factor * (1 - 0.07 * offset)
                    row = {"split": split, "model": model, "is_ours": not place, "metric": measure}
                    row |= {"k": k, "value": value, "n_users": 943, "seconds": 40.5 / (place + 1)}
                    low, high = (lead - 0.008, lead + 0.008) if place else (None, None)
                    rows.append(row | {"lead": lead, "lead_low": low, "lead_high": high})
    return rows


def recommendation_rows(titles):
    return [
        {
            "user_id": user,
            "rank": rank,
            "item_id": str(rank),
            "title": title,
            "strategy": "lightgcn",
        }
        | {"reason": f"because of {titles[0]}, Fargo, that share Drama, Crime"}
        for user in ("1", "10")
        for rank, title in enumerate(titles, 1)
    ]


def ego(titles):
    items = [{"id": f"i:{n}", "name": name, "kind": "item"} for n, name in enumerate(titles)]
    interests = [{"id": f"t:{n}", "name": n, "kind": "interest"} for n in ("Drama", "Crime", "War")]
    best = [{"id": f"r:{n}", "name": name, "kind": "recommended"} for n, name in enumerate(titles)]
    user = [{"id": "u:1", "name": "user 1", "kind": "user"}]
    links = [
        {"src": "u:1", "dst": item["id"], "weight": 5.0 - n / 4, "kind": "user_item"}
        for n, item in enumerate(items)
    ]
    for n, vertex in enumerate([*items, *best]):
        topic = interests[n % 3]["id"]
        links.append({"src": vertex["id"], "dst": topic, "weight": 1.0, "kind": "item_interest"})
    for n in range(0, len(items), 3):
        other = best[(n * 7) % len(best)]["id"]
        links.append({"src": f"i:{n}", "dst": other, "weight": 0.3 + n / 20, "kind": "item_item"})
    return Ego("1", [user, items, interests, best], links)


def item_ego(title):
    columns = [
        [{"id": "u:1", "name": "user 1", "kind": "user"}],
        [{"id": "i:1", "name": title, "kind": "item"}],
        [{"id": "i:2", "name": "Heat", "kind": "similar"}],
    ]
    links = [{"src": "u:1", "dst": "i:1", "weight": 4.0, "kind": "user_item"}]
    links += [{"src": "i:1", "dst": "i:2", "weight": 0.5, "kind": "item_item"}]
    return Ego(title, columns, links)


def communities(titles):
    circles = [
        {"community": 7 * n, "names": [title, "Heat"], "x": n / 6, "y": -n / 6}
        | {"n_users": 300 - n, "n_items": 200 - n, "n_vertices": 500 - 2 * n}
        for n, title in enumerate(titles)
    ]
    return Communities(circles, [{"src": 0, "dst": 7, "weight": 12.5}])


def run_rows():
    jobs = ("ingest", "clean", "featurize", "build_graph", "train", "recommend", "evaluate")
    return [
        {
            "job": pipeline,
            "started": f"2024-01-31 10:0{n}:00",
            "status": "succeeded",
            "seconds": 3.5 * n,
        }
        | {"peak_memory_mb": 900.0 + n, "reads": {"bronze.events": n}}
        | {"writes": {"gold.x": n, "gold.never": -1}}  # a table that does not exist
        for n, pipeline in enumerate(jobs, 1)
    ]


@pytest.fixture
def findings():
    titles = ("Fargo (1996)", "Heat", HOSTILE, "Star Wars", "The Godfather", "Alien")
    return Findings(
        project="films",
        as_of=datetime(2024, 1, 31, tzinfo=UTC),
        runs=run_rows(),
        cleaning=CLEANING,
        graph=graph_rows(),
        training=training_rows(),
        partition=partition_rows(),
        metrics=metric_rows(),
        recommendations=recommendation_rows(titles),
        communities=communities(titles),
        ego=ego(titles),
        item=item_ego(titles[2]),
    )
