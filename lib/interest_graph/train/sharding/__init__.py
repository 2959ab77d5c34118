"""Cutting a graph into shards of users: how many, who is in which, and what memory they need."""
