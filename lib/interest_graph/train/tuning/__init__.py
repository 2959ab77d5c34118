"""Settings and ensemble weights chosen by NDCG on held-out pairs."""
