"""all tables -> report.html: one self-contained page."""

from interest_graph.cli import launch

if __name__ == "__main__":
    launch("report")
