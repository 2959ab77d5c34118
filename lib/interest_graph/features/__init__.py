"""Item texts and attributes as vectors."""
