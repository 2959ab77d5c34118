"""The numerical work of one Python worker: NumPy, SciPy and torch, no Spark."""
