"""The folder of a run: what training leaves in it, and how to read it without training code."""

from stylegan.runs.alarms import alarms
from stylegan.runs.charts import draw_charts
from stylegan.runs.folder import grids_by_kimg
from stylegan.runs.info import RunInfo, read_info
from stylegan.runs.page import write_run_page
from stylegan.runs.report import loss_plot, read_stats, time_strip
from stylegan.runs.scores import append_score, link_best, read_scores
from stylegan.runs.tensorboard import with_tensorboard
from stylegan.runs.tick import Tick

__all__ = [
    "RunInfo",
    "Tick",
    "alarms",
    "append_score",
    "draw_charts",
    "grids_by_kimg",
    "link_best",
    "loss_plot",
    "read_info",
    "read_scores",
    "read_stats",
    "time_strip",
    "with_tensorboard",
    "write_run_page",
]
