"""Named configurations: the settings of a paper, or those with which a small network learns on a CPU.

One file for each generation, the sizes for a CPU, and the catalog of all names.
"""

from stylegan.training.presets.catalog import GENERATIONS, NAMES, PRESETS, default_cfg, preset
from stylegan.training.presets.preset import Blur, Network, Preset
from stylegan.training.presets.sizes import SIZES, Size

__all__ = [
    "GENERATIONS",
    "NAMES",
    "PRESETS",
    "SIZES",
    "Blur",
    "Network",
    "Preset",
    "Size",
    "default_cfg",
    "preset",
]
