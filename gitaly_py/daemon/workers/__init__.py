"""Worker processes: how the supervisor starts and ends them, and what the two tell each other."""
