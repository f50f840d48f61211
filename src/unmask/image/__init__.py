"""Bytes -> upright sRGB pixels: the only decoder."""
