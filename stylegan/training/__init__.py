"""From a configuration and a data set to a trained network."""

from stylegan.training.config import TrainConfig
from stylegan.training.loop import Tick, train

__all__ = ["Tick", "TrainConfig", "train"]
