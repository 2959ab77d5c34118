"""Models of item-item weights: a kernel and its settings each, run by one common class."""
