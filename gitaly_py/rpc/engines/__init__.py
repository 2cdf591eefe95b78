"""The RPC engines: what speaks HTTP/2 below the frame."""
