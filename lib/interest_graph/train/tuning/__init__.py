"""Settings chosen on held-out pairs."""
