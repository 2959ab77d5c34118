"""Make a machine ready: JARs, demo data, a standalone cluster on loopback."""
