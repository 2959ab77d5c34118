"""silver.interactions -> graph.*: the pruned weighted interest graph and its structure."""

from interest_graph.cli import launch

if __name__ == "__main__":
    launch("build_graph")
