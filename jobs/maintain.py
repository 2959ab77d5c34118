"""Every table -> the same table in fewer, larger files."""

from interest_graph.cli import launch

if __name__ == "__main__":
    launch("maintain")
