"""From a configuration and a data set to a trained network."""

from stylegan.training.config import TrainConfig
from stylegan.training.loop import train
from stylegan.training.tick import Tick

__all__ = ["Tick", "TrainConfig", "train"]
