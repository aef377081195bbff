"""Latent -> other latent: directions, edits and dragging."""

from stylegan.editing.direction_file import load_directions, save_directions
from stylegan.editing.directions import Direction, orthogonal
from stylegan.editing.drag import Drag, drag
from stylegan.editing.edit import combined, direction_sheet, edit, mixed, set_position

__all__ = [
    "Direction",
    "Drag",
    "combined",
    "direction_sheet",
    "drag",
    "edit",
    "load_directions",
    "mixed",
    "orthogonal",
    "save_directions",
    "set_position",
]
