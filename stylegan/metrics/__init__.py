"""How good the pictures are, as numbers."""
