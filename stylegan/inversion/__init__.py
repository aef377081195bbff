"""Image -> latent: the projector, and pivotal tuning."""

from stylegan.inversion.perceptual import PerceptualDistance
from stylegan.inversion.pivotal import PivotalSettings, load_delta, save_delta, tune
from stylegan.inversion.projector import PUBLISHED, Projection, ProjectorSettings, project, psnr
from stylegan.inversion.target import read_mask, read_target

__all__ = [
    "PUBLISHED",
    "PerceptualDistance",
    "PivotalSettings",
    "Projection",
    "ProjectorSettings",
    "load_delta",
    "project",
    "psnr",
    "read_mask",
    "read_target",
    "save_delta",
    "tune",
]
