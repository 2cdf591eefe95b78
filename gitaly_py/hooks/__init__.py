"""The hooks of a push, on the daemon's side (transport.md 8, 10); `program` is what git starts."""
