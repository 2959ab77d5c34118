"""all tables -> report.html: one self-contained page."""

from interest_graph.steps.report import STEP

from interest_graph.job import launch

if __name__ == "__main__":
    launch(STEP)
