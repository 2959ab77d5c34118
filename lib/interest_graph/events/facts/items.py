"""Items that are other items listed twice."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from interest_graph.events.facts.codes import encoded


def with_canonical_items(events: pa.Table, aliases: pa.Table) -> pa.Table:
    """Replace item_id by its canonical_id where `aliases` (item_id, canonical_id) has one."""
    codes, items = encoded(events["item_id"])
    places = pc.index_in(items, value_set=aliases["item_id"].cast(pa.string()))
    if places.null_count == len(items):
        return events
    canonical = pc.coalesce(aliases["canonical_id"].cast(pa.string()).take(places), items)
    renamed = canonical.take(pa.array(codes, mask=codes < 0))
    return events.set_column(events.schema.get_field_index("item_id"), "item_id", renamed)
