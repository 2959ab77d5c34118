"""silver.items -> silver.features: item texts to vectors."""

from interest_graph.cli import launch
from interest_graph.steps.featurize import STEP

if __name__ == "__main__":
    launch(STEP)
