"""Latent -> other latent: directions, edits and dragging; network -> other images: bending and blending."""

from stylegan.editing.bend import Bend, bent, load_bends, save_bends
from stylegan.editing.blend import blended
from stylegan.editing.direction_file import load_directions, save_directions
from stylegan.editing.directions import Direction, orthogonal
from stylegan.editing.drag import Drag, drag
from stylegan.editing.edit import combined, direction_sheet, edit, mixed, set_position

__all__ = [
    "Bend",
    "Direction",
    "Drag",
    "bent",
    "blended",
    "combined",
    "direction_sheet",
    "drag",
    "edit",
    "load_bends",
    "load_directions",
    "mixed",
    "orthogonal",
    "save_bends",
    "save_directions",
    "set_position",
]
