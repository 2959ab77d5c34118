"""graph.edges -> model.*: embeddings trained on shards of the graph."""

from interest_graph.cli import launch

if __name__ == "__main__":
    launch("train")
