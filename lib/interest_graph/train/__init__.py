"""Models trained on shards of the graph."""
