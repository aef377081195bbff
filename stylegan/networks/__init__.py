"""What the papers draw: one generation a file."""
