"""Vertex ids: a letter for the kind, a colon, and the key, such as `u:42`, `i:B00X`, `t:jazz`.

All code that makes or parses vertex ids is here, for Python strings and for Spark columns.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

USER, ITEM, INTEREST = "user", "item", "interest"

_LETTERS = {USER: "u", ITEM: "i", INTEREST: "t"}
_PREFIX_LENGTH = 2


def vertex(kind: str, key: str) -> str:
    """The vertex id for a kind and a key: a user id, an item id or the name of an interest."""
    return f"{_LETTERS[kind]}:{key}"


def key_of(vertex_id: str) -> str:
    """The key of a vertex id: its user id, item id or name of an interest."""
    return vertex_id[_PREFIX_LENGTH:]


def is_kind(vertex_id: str, kind: str) -> bool:
    """Whether the vertex id is of this kind."""
    return vertex_id.startswith(f"{_LETTERS[kind]}:")


def user_vertex(user_id: Column) -> Column:
    """Column: the vertex id of a user, `u:<user_id>`."""
    return _prefixed(USER, user_id)


def item_vertex(item_id: Column) -> Column:
    """Column: the vertex id of an item, `i:<item_id>`."""
    return _prefixed(ITEM, item_id)


def interest_vertex(name: Column) -> Column:
    """Column: the vertex id of an interest, `t:<category or tag>`."""
    return _prefixed(INTEREST, name)


def vertex_key(vertex_id: Column) -> Column:
    """Column: the key of a vertex id."""
    return vertex_id.substr(F.lit(_PREFIX_LENGTH + 1), F.length(vertex_id))


def vertex_kind(vertex_id: Column) -> Column:
    """Column: the kind of a vertex id, user, item or interest; null for other texts."""
    letters = [F.lit(part) for kind, letter in _LETTERS.items() for part in (letter, kind)]
    return F.create_map(*letters)[F.substring(vertex_id, 1, 1)]


def is_of_kind(vertex_id: Column, kind: str) -> Column:
    """Column: whether the vertex id is of this kind."""
    return vertex_id.startswith(f"{_LETTERS[kind]}:")


def user_item_pairs(edges: DataFrame) -> DataFrame:
    """The user_item edges among rows of graph.edges, as user_id, item_id, weight."""
    return pairs_of_kind(edges, "user_item", "user_id", "item_id")


def pairs_of_kind(edges: DataFrame, kind: str, src: str, dst: str) -> DataFrame:
    """The edges of one kind, as the keys of both ends and weight; src, dst: names of the keys."""
    keys = [vertex_key(F.col(end)).alias(name) for end, name in (("src", src), ("dst", dst))]
    return edges.where(F.col("kind") == kind).select(*keys, "weight")


def _prefixed(kind: str, key: Column) -> Column:
    return F.concat(F.lit(f"{_LETTERS[kind]}:"), key)
