"""Image quality as numbers: the table of metrics, and one metric per file."""

from stylegan.metrics.equivariance import equivariance
from stylegan.metrics.features import DETECTORS, Detector, load_detector
from stylegan.metrics.fid import fid
from stylegan.metrics.protocol import Score
from stylegan.metrics.registry import METRICS, Meaning, Metric, Request, meaning_of, parse

__all__ = [
    "DETECTORS",
    "METRICS",
    "Detector",
    "Meaning",
    "Metric",
    "Request",
    "Score",
    "equivariance",
    "fid",
    "load_detector",
    "meaning_of",
    "parse",
]
