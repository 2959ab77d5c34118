"""What crosses shards: arrays as rows, sums over shards, rounds and their checkpoints."""
