"""The jobs: what each reads, calls and writes."""
