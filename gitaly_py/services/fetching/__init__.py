"""Fetches, whatever transport brings them: from memory, from the pack cache, or by git."""
