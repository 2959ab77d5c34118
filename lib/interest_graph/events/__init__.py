"""From raw records to interactions: read, parse, validate, deduplicate, find bots and sessions."""
