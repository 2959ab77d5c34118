"""Computing over shards: arrays as rows, sums over shards, training rounds, checkpoints."""
