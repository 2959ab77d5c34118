"""Top items per user, with fallbacks and reasons."""
