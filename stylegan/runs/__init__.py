"""The folder of a run: what training leaves in it, and how to read that without training code."""
