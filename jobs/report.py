"""all tables -> report.html: one self-contained page."""

from interest_graph.cli import launch
from interest_graph.steps.report import STEP

if __name__ == "__main__":
    launch(STEP)
