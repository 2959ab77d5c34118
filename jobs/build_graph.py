"""silver.interactions -> graph.*: the pruned weighted interest graph and its structure."""

from interest_graph.steps.build_graph import STEP

from interest_graph.job import launch

if __name__ == "__main__":
    launch(STEP)
