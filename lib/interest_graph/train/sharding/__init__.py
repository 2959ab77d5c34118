"""How a graph is cut into shards."""
