"""Made-up logs with known truth, the same for the same seed however many tasks make them."""
