"""graph.edges -> model.*: embeddings trained on shards of the graph."""

from interest_graph.cli import launch
from interest_graph.steps.train import STEP

if __name__ == "__main__":
    launch(STEP)
