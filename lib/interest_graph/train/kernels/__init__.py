"""What one worker computes: NumPy, SciPy and torch, no Spark."""
