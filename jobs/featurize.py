"""silver.items -> silver.features: item texts to vectors."""

from interest_graph.steps.featurize import STEP

from interest_graph.job import launch

if __name__ == "__main__":
    launch(STEP)
