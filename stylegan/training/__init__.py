"""Training: settings and a data set become a run, which makes a network."""

from stylegan.runs.tick import Tick
from stylegan.training.assemble import from_preset
from stylegan.training.config import TrainConfig
from stylegan.training.run import Run, resume, start, train

__all__ = ["Run", "Tick", "TrainConfig", "from_preset", "resume", "start", "train"]
