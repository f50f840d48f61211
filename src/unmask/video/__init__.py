"""Clips: bytes -> frames with their times -> people -> one verdict over time for each."""
