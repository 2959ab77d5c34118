"""silver.items -> silver.features: item texts to vectors."""

from interest_graph.cli import launch

if __name__ == "__main__":
    launch("featurize")
