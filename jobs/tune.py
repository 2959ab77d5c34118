"""graph.edges -> model.trials: settings of train tried on a validation part; the best as YAML."""

from interest_graph.cli import launch
from interest_graph.steps.tune import STEP

if __name__ == "__main__":
    launch(STEP)
