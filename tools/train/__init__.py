"""Training of the fallback speaker model; see README.md."""
