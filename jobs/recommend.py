"""model.embeddings, graph.edges -> gold.recommendations: top items per user with reasons."""

from interest_graph.steps.recommend import STEP

from interest_graph.job import launch

if __name__ == "__main__":
    launch(STEP)
