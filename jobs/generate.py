"""Settings -> a made-up log and its truth, to try the suite on."""

from interest_graph.cli import launch

if __name__ == "__main__":
    launch("generate")
