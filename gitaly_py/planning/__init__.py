"""What other limits would have done to the calls that a log tells of (daemon.md 4.4, 5)."""
