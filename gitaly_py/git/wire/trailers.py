"""Trailers of a commit message as the API limits them (commit.md 2)."""

from __future__ import annotations

FORMAT = "%(trailers:unfold,separator=%x00)"
"""The part of a `git log` format whose output `parse_trailers` takes."""

MAX_TRAILERS = 64
MAX_KEY = 128
MAX_VALUE = 512


def parse_trailers(output: bytes) -> list[tuple[bytes, bytes]]:
    """Keys and values in order, repeated keys too; the first oversized one ends the list."""
    trailers: list[tuple[bytes, bytes]] = []
    for element in output.split(b"\0"):
        key, found, value = element.partition(b":")
        if not found or not key:
            continue
        value = value.strip()
        if len(key) > MAX_KEY or len(value) > MAX_VALUE or len(trailers) == MAX_TRAILERS:
            break
        trailers.append((key, value))
    return trailers
