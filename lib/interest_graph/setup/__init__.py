"""Set up a machine: install JARs, fetch demo data, start a standalone cluster on loopback."""
