"""Seed -> z -> w -> image, and what can be done on the way: truncate, mix, interpolate."""
