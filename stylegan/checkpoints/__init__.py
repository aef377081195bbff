"""Checkpoints: networks in files, and back."""

from stylegan.checkpoints.checkpoint import Checkpoint
from stylegan.checkpoints.native import save
from stylegan.checkpoints.open import load, load_checkpoint

__all__ = ["Checkpoint", "load", "load_checkpoint", "save"]
