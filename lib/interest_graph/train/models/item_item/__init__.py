"""Item-item models: one recipe each on a common base."""
