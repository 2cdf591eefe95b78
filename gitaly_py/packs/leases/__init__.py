"""Packs that several workers share: who makes one, and who reads what another makes."""
