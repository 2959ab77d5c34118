"""Every job, from files to the report, in one Spark session."""

from interest_graph.cli import launch

if __name__ == "__main__":
    launch("run_all")
