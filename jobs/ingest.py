"""files -> bronze.files, bronze.events, silver.users, silver.items, silver.social_edges: take in new files."""

from interest_graph.job import launch
from interest_graph.steps.ingest import STEP

if __name__ == "__main__":
    launch(STEP)
