"""Training of an encoder: settings and a network become a run, which makes an encoder of images."""

from stylegan.training.encoder.config import EncoderConfig
from stylegan.training.encoder.run import EncoderRun, resume_encoder, train_encoder

__all__ = ["EncoderConfig", "EncoderRun", "resume_encoder", "train_encoder"]
