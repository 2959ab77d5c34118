"""graph.edges -> model.*: embeddings trained on shards of the graph."""

from interest_graph.steps.train import STEP

from interest_graph.job import launch

if __name__ == "__main__":
    launch(STEP)
