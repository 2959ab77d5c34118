"""bronze.events -> silver.value_caps: robust caps of values, for clean to apply."""

from interest_graph.cli import launch

if __name__ == "__main__":
    launch("fit_caps")
