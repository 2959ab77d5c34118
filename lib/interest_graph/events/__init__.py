"""Raw records to clean, deduplicated, sessionised facts."""
