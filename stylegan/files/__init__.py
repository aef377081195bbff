"""Bytes on disk: atomic writes, archives, checksums and the cache folder."""

from stylegan.files.atomic import atomic_file, atomic_folder, write_text
from stylegan.files.cache import default_cache
from stylegan.files.digest import digest

__all__ = ["atomic_file", "atomic_folder", "default_cache", "digest", "write_text"]
