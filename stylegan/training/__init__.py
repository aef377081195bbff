"""From a configuration and a data set to a trained network."""

from stylegan.runs.tick import Tick
from stylegan.training.config import TrainConfig
from stylegan.training.loop import train

__all__ = ["Tick", "TrainConfig", "train"]
