"""From accepted events to facts: repeats, bots and sessions, on Arrow and NumPy without Spark.

All functions expect every event of a user in one table, so that parts of users are independent.
"""

from interest_graph.events.facts.cleaning import BYTES_PER_EVENT, Cleaned, clean_part
from interest_graph.events.facts.items import with_canonical_items
from interest_graph.events.facts.parts import from_blobs, split_by_user, to_blob
from interest_graph.events.facts.summary import digest_of, item_counts, user_counts

__all__ = [
    "BYTES_PER_EVENT",
    "Cleaned",
    "clean_part",
    "digest_of",
    "from_blobs",
    "item_counts",
    "split_by_user",
    "to_blob",
    "user_counts",
    "with_canonical_items",
]
