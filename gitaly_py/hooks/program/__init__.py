"""What git starts as a hook. Nothing here imports anything of the daemon."""
