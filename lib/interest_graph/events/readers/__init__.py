"""Readers: bytes of an input file to the table of its records as received (events/records.py)."""
