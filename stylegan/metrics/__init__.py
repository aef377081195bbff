"""Image quality as numbers: the table of metrics, and one metric per file."""

from stylegan.metrics.equivariance import equivariance
from stylegan.metrics.features import DETECTORS, Detector, load_detector
from stylegan.metrics.fid import fid
from stylegan.metrics.protocol import Score
from stylegan.metrics.registry import METRICS, Meaning, Metric, Request, meaning_of, parse, parse_all
from stylegan.metrics.torchscript import TorchScriptNetwork

__all__ = [
    "DETECTORS",
    "METRICS",
    "Detector",
    "Meaning",
    "Metric",
    "Request",
    "Score",
    "TorchScriptNetwork",
    "equivariance",
    "fid",
    "load_detector",
    "meaning_of",
    "parse",
    "parse_all",
]
