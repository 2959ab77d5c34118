"""Every job, from files to the report, in one Spark session."""

from interest_graph.cli import run_all

if __name__ == "__main__":
    run_all()
