"""Image -> latent: the projector, pivotal tuning, and encoders, which also translate other inputs to images."""

from stylegan.inversion.encoder import Encoder, EncoderSettings, encode
from stylegan.inversion.encoder_file import load_encoder, save_encoder
from stylegan.inversion.perceptual import PerceptualDistance
from stylegan.inversion.pivotal import PivotalSettings, load_delta, save_delta, tune
from stylegan.inversion.projector import PUBLISHED, REFINING, Projection, ProjectorSettings, project, psnr
from stylegan.inversion.target import read_mask, read_target
from stylegan.inversion.tasks import TASKS, Task
from stylegan.inversion.translate import read_input, translate

__all__ = [
    "PUBLISHED",
    "REFINING",
    "TASKS",
    "Encoder",
    "EncoderSettings",
    "PerceptualDistance",
    "PivotalSettings",
    "Projection",
    "ProjectorSettings",
    "Task",
    "encode",
    "load_delta",
    "load_encoder",
    "project",
    "psnr",
    "read_input",
    "read_mask",
    "read_target",
    "save_delta",
    "save_encoder",
    "translate",
    "tune",
]
