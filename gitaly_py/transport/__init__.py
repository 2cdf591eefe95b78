"""Connections: the front door, TLS, yamux sessions, side channels, and the client's end of them."""
