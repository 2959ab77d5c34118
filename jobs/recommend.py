"""model.embeddings, graph.edges -> gold.recommendations: top items per user with reasons."""

from interest_graph.cli import launch
from interest_graph.steps.recommend import STEP

if __name__ == "__main__":
    launch(STEP)
