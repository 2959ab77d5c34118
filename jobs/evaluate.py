"""silver.interactions -> gold.metrics: ranking quality beside baselines."""

from interest_graph.steps.evaluate import STEP

from interest_graph.job import launch

if __name__ == "__main__":
    launch(STEP)
