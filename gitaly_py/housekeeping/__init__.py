"""Keeping repositories tidy (storage-maintenance.md 2)."""
