"""The weighted interest graph: weights, pruning, projection, structure, versions."""
