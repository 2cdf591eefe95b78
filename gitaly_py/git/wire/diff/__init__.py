"""What `git diff` prints, parsed while it is printed (diff-conflicts.md 1); no I/O."""
