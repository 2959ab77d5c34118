"""Readers of the formats of sources: files become records, tables of one schema."""
