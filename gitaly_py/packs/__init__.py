"""Packs for fetches: made by `git pack-objects` once, and kept for whoever asks for the same."""
