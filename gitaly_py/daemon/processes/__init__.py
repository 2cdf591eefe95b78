"""How the daemon's own processes begin and end, and how they talk to each other."""
