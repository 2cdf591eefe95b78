"""HTTP/2 and gRPC for a server, without I/O (RFC 9113, RFC 7541, gRPC over HTTP/2)."""
