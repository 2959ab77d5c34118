"""silver.interactions -> gold.metrics: ranking quality beside baselines."""

from interest_graph.cli import launch

if __name__ == "__main__":
    launch("evaluate")
