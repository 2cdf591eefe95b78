"""yamux: many streams over one connection (transport.md 1.3 to 1.6).

`frames` and `session` are the protocol without I/O; `driver` and `stream` run it over a `Wire`.
"""
