"""Settings -> a made-up log and its truth, to try the suite on."""

from interest_graph.cli import launch
from interest_graph.steps.generate import STEP

if __name__ == "__main__":
    launch(STEP)
