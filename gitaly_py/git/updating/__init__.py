"""Writing: reference transactions and quarantined objects."""
