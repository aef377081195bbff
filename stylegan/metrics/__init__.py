"""How good the images are, as numbers."""
