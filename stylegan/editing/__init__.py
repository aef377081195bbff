"""Latent -> other latent: directions, texts, drags; network -> other network or images: adapt, blend, bend."""

from stylegan.editing.adaptation import AdaptSettings, adapt, domain_of_images, domain_of_text
from stylegan.editing.bend import Bend, bent, load_bends, save_bends
from stylegan.editing.blend import blended
from stylegan.editing.delta_mapper import load_mapper, save_mapper, train_mapper
from stylegan.editing.direction_file import load_directions, save_directions
from stylegan.editing.directions import Direction, orthogonal
from stylegan.editing.drag import Drag, drag
from stylegan.editing.edit import combined, direction_sheet, edit, mixed, set_position
from stylegan.editing.image_features import StyleFeatures
from stylegan.editing.text_direction import channel_effects, direction_of_text
from stylegan.editing.text_edit import TextSettings, edit_by_text
from stylegan.editing.text_model import TextModel, load_text_model, text_direction

__all__ = [
    "AdaptSettings",
    "Bend",
    "Direction",
    "Drag",
    "StyleFeatures",
    "TextModel",
    "TextSettings",
    "adapt",
    "bent",
    "blended",
    "channel_effects",
    "combined",
    "direction_of_text",
    "direction_sheet",
    "domain_of_images",
    "domain_of_text",
    "drag",
    "edit",
    "edit_by_text",
    "load_bends",
    "load_directions",
    "load_mapper",
    "load_text_model",
    "mixed",
    "orthogonal",
    "save_bends",
    "save_directions",
    "save_mapper",
    "set_position",
    "text_direction",
    "train_mapper",
]
