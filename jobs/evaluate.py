"""silver.interactions -> gold.metrics: ranking quality on held-out interactions, beside baselines."""

from interest_graph.job import launch
from interest_graph.steps.evaluate import STEP

if __name__ == "__main__":
    launch(STEP)
