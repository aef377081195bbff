"""Seed -> z -> w -> image, with truncation, style mixing, interpolation and motion on the way."""

from stylegan.sampling.class_center import ClassCentered, class_average
from stylegan.sampling.generate import batched, draw, generate, generate_images, map_latents, seeds_to_ws, to_latents
from stylegan.sampling.interpolation import loop, slerp
from stylegan.sampling.labels import Label, class_labels, label_vector, waypoints
from stylegan.sampling.latent import Latent, space_of
from stylegan.sampling.latent_file import load_latents, save_latent
from stylegan.sampling.latents import latents, parse_seeds
from stylegan.sampling.mixing import mix_ws, mixing_matrix, named_styles, parse_styles
from stylegan.sampling.motion import move
from stylegan.sampling.tar_output import write_shards
from stylegan.sampling.transform import inverse_transform, transform_of
from stylegan.sampling.truncation import truncation_sweep

__all__ = [
    "ClassCentered",
    "Label",
    "Latent",
    "batched",
    "class_average",
    "class_labels",
    "draw",
    "generate",
    "generate_images",
    "inverse_transform",
    "label_vector",
    "latents",
    "load_latents",
    "loop",
    "map_latents",
    "mix_ws",
    "mixing_matrix",
    "move",
    "named_styles",
    "parse_seeds",
    "parse_styles",
    "save_latent",
    "seeds_to_ws",
    "slerp",
    "space_of",
    "to_latents",
    "transform_of",
    "truncation_sweep",
    "waypoints",
    "write_shards",
]
