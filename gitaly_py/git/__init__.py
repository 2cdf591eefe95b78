"""Everything about git itself: formats, processes, reading and updating. Knows no gRPC."""
