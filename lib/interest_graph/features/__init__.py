"""Features: vectors of item texts, and numeric attributes of users and items."""
