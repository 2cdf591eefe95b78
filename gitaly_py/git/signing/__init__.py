"""Keys of the daemon that sign commits, and whether a signature is theirs (commit.md 3.1)."""
