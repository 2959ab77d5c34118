"""The jobs, one a module: what each reads, which transforms it calls, what it writes."""
