"""silver.interactions -> gold.metrics: ranking quality beside baselines."""

from interest_graph.cli import launch
from interest_graph.steps.evaluate import STEP

if __name__ == "__main__":
    launch(STEP)
