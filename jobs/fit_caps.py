"""bronze.events -> silver.value_caps: robust caps of values, for clean to apply."""

from interest_graph.cli import launch
from interest_graph.steps.fit_caps import STEP

if __name__ == "__main__":
    launch(STEP)
