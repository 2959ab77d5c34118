"""model.embeddings, graph.edges -> gold.recommendations: top items per user with reasons."""

from interest_graph.cli import launch

if __name__ == "__main__":
    launch("recommend")
