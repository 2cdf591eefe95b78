"""Figures, each against a reference measured in the same run and printed as a ratio."""
