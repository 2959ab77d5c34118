"""silver.interactions -> graph.*: the pruned weighted interest graph and its structure."""

from interest_graph.cli import launch
from interest_graph.steps.build_graph import STEP

if __name__ == "__main__":
    launch(STEP)
