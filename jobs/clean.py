"""bronze.events -> silver.interactions, silver.quarantine: facts out of records."""

from interest_graph.cli import launch

if __name__ == "__main__":
    launch("clean")
