"""Formats git reads and writes: bytes in, values out. Nothing here does I/O."""
