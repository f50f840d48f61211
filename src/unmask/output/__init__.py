"""Findings -> terminal, JSON, CSV, HTML; the words and marks, once for the whole project."""
