"""How vertices are named: a letter for the kind, a colon, and the key (`u:42`, `i:B00X`, `t:jazz`).

The only module that writes or takes apart such a name, in Spark columns and in Python texts.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

USER, ITEM, INTEREST = "user", "item", "interest"

_LETTERS = {USER: "u", ITEM: "i", INTEREST: "t"}
_PREFIX_LENGTH = 2


def vertex(kind: str, key: str) -> str:
    """The vertex of a user id, an item id or an interest's name."""
    return f"{_LETTERS[kind]}:{key}"


def key_of(vertex_id: str) -> str:
    """The user id, item id or interest's name of a vertex."""
    return vertex_id[_PREFIX_LENGTH:]


def is_kind(vertex_id: str, kind: str) -> bool:
    """Whether the vertex is of that kind."""
    return vertex_id.startswith(f"{_LETTERS[kind]}:")


def user_vertex(user_id: Column) -> Column:
    """`u:<user_id>`."""
    return _prefixed(USER, user_id)


def item_vertex(item_id: Column) -> Column:
    """`i:<item_id>`."""
    return _prefixed(ITEM, item_id)


def interest_vertex(name: Column) -> Column:
    """`t:<category or tag>`."""
    return _prefixed(INTEREST, name)


def vertex_key(vertex_id: Column) -> Column:
    """The user id, item id or interest's name of a vertex."""
    return vertex_id.substr(F.lit(_PREFIX_LENGTH + 1), F.length(vertex_id))


def vertex_kind(vertex_id: Column) -> Column:
    """user, item or interest; null for what is no vertex."""
    letters = [F.lit(part) for kind, letter in _LETTERS.items() for part in (letter, kind)]
    return F.create_map(*letters)[F.substring(vertex_id, 1, 1)]


def is_of_kind(vertex_id: Column, kind: str) -> Column:
    """Whether the vertex is of that kind."""
    return vertex_id.startswith(f"{_LETTERS[kind]}:")


def user_item_pairs(edges: DataFrame) -> DataFrame:
    """user_id, item_id, weight of the user-item edges in graph.edges."""
    return pairs_of_kind(edges, "user_item", "user_id", "item_id")


def pairs_of_kind(edges: DataFrame, kind: str, src: str, dst: str) -> DataFrame:
    """Keys of both ends, as columns `src` and `dst`, and weight of one kind of edge."""
    keys = [vertex_key(F.col(end)).alias(name) for end, name in (("src", src), ("dst", dst))]
    return edges.where(F.col("kind") == kind).select(*keys, "weight")


def _prefixed(kind: str, key: Column) -> Column:
    return F.concat(F.lit(f"{_LETTERS[kind]}:"), key)
