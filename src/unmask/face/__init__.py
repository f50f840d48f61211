"""Pixels -> face boxes -> square crops."""
