"""graph.edges, graph.communities -> graph.*_changes: what differs between two graph versions."""

from interest_graph.cli import launch

if __name__ == "__main__":
    launch("diff")
