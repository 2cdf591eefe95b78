"""Metrics, logs and task ownership: what the daemon says about itself."""
