"""The internal API of the Rails app: access checks and notices about pushes (transport.md 9)."""
