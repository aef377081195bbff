"""Bytes on disk: paths, atomic writes, archives, checksums and the cache folder. Importing it loads no PyTorch."""

from stylegan.files.atomic import atomic_file, atomic_folder, write_text
from stylegan.files.cache import default_cache
from stylegan.files.paths import local_path

__all__ = ["atomic_file", "atomic_folder", "default_cache", "local_path", "write_text"]
