"""The detector that is built in: reads through git, and leaves judging to a child process."""
