"""bronze.events -> silver.interactions, silver.quarantine: facts out of records."""

from interest_graph.steps.clean import STEP

from interest_graph.job import launch

if __name__ == "__main__":
    launch(STEP)
