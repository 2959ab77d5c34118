"""bronze.events -> silver.interactions, silver.quarantine: facts out of records."""

from interest_graph.cli import launch
from interest_graph.steps.clean import STEP

if __name__ == "__main__":
    launch(STEP)
