"""The status page: what the daemon does now, in a browser, in `curl`, as JSON."""
