"""Seed -> z -> w -> picture, and what can be done on the way: truncate, mix, interpolate."""
