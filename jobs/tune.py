"""graph.edges -> model.trials: settings of train tried on a validation part; the best as YAML."""

from interest_graph.cli import launch

if __name__ == "__main__":
    launch("tune")
