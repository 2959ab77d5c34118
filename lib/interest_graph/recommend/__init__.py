"""Top-k items per user by the model, by popularity for users it cannot serve, and reasons."""
