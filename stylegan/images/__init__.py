"""One image: read, resize, pixels, PNG, grid, video."""

from stylegan.images.grid import auto_shape, grid, make_grid
from stylegan.images.pixels import to_float, to_pil, to_uint8
from stylegan.images.png import make_folder, save_png
from stylegan.images.video import save_video

__all__ = ["auto_shape", "grid", "make_folder", "make_grid", "save_png", "save_video", "to_float", "to_pil", "to_uint8"]
