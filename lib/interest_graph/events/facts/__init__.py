"""From accepted events to facts: repeats, bots and sessions, on Arrow and NumPy without Spark.

All functions expect every event of a user in one table, so that parts of users are independent.
"""

from interest_graph.events.facts.cleaning import Cleaned, clean_part
from interest_graph.events.facts.items import with_canonical_items
from interest_graph.events.facts.parts import split_by_key, split_by_user

__all__ = ["Cleaned", "clean_part", "split_by_key", "split_by_user", "with_canonical_items"]
