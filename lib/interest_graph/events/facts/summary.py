"""Counts and digests of facts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from interest_graph.events.facts.codes import ranked
from interest_graph.events.facts.digests import in_memory


def item_counts(facts: pa.Table) -> pa.Table:
    """item_id, n: the facts of each item, by item."""
    return _counts(facts, "item_id")


def user_counts(facts: pa.Table) -> pa.Table:
    """user_id, n: the facts of each user, by user."""
    return _counts(facts, "user_id")


def digest_of(facts: pa.Table) -> str:
    """A digest of the rows, whatever their order and encoding; rows that occur twice count twice.

    Comparable only between runs with one version of DuckDB, whose row hash it sums.
    """
    columns = ", ".join(
        f'"{field.name}"::VARCHAR' if pa.types.is_dictionary(field.type) else f'"{field.name}"'
        for field in facts.schema
    )
    query = f"SELECT count(*), coalesce(sum(hash({columns})::HUGEINT), 0) FROM facts"
    with in_memory() as database:
        database.register("facts", facts)
        n_rows, total = database.sql(query).fetchone() or (0, 0)
    return f"{n_rows}-{int(total) % 2**64:016x}"


def _counts(facts: pa.Table, column: str) -> pa.Table:
    coded = ranked(facts[column], column)
    counts = np.bincount(coded.codes, minlength=len(coded.texts))
    used = np.flatnonzero(counts)
    return pa.table({column: coded.texts.take(pa.array(used)), "n": counts[used]})
