"""files -> bronze.*, silver.users, silver.items, silver.social_edges: take in new files."""

from interest_graph.cli import launch

if __name__ == "__main__":
    launch("ingest")
