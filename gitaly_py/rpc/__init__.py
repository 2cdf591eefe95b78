"""The frame around every RPC: method table, `Call`, adapter, packer, checks and statuses.

A handler is a function over decoded messages that declares its checks and yields items, bytes or
messages; the frame does everything around it, the same way for all four kinds of RPC. It knows gRPC
and the messages, and nothing of git: what resolves a repository and which code an exception has is
handed to it at start.
"""
