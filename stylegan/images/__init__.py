"""One image: read, resize, pixels, PNG, grid, video."""

from stylegan.images.grid import make_grid
from stylegan.images.pixels import to_float, to_pil, to_uint8
from stylegan.images.png import save_png
from stylegan.images.video import save_video

__all__ = ["make_grid", "save_png", "save_video", "to_float", "to_pil", "to_uint8"]
