"""Hold-out splits, ranking metrics and the report."""
