"""Every table -> the same table in fewer, larger files."""

from interest_graph.cli import launch
from interest_graph.steps.maintain import STEP

if __name__ == "__main__":
    launch(STEP)
