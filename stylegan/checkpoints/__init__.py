"""Checkpoints: networks in files, and back."""

from stylegan.checkpoints.checkpoint import Checkpoint
from stylegan.checkpoints.native import load, load_checkpoint, save

__all__ = ["Checkpoint", "load", "load_checkpoint", "save"]
