"""The library on systems that lack parts of POSIX, such as Windows."""

import os
import subprocess
import sys
from pathlib import Path

from PIL import Image

TESTS = Path(__file__).parent
# Third-party packages come first: only this library has to do without what is hidden after them.
WITHOUT_POSIX = """
import importlib, os, pkgutil, signal, sys
import click, numpy, PIL.Image, PIL.PngImagePlugin, pydantic.main, rich.progress, safetensors.torch, torch, yaml
import torch.distributed, torch.utils._python_dispatch, torch.utils._pytree
from golden import fill

real_open, real_fsync = os.open, os.fsync
writable = {}

def open_no_folder(path, flags, *args, **options):
    if os.path.isdir(path):
        raise PermissionError(13, "Permission denied", str(path))
    descriptor = real_open(path, flags, *args, **options)
    writable[descriptor] = bool(flags & (os.O_WRONLY | os.O_RDWR))
    return descriptor

def sync_writable(descriptor):
    if not writable.get(descriptor, True):
        raise OSError(9, "Bad file descriptor")
    real_fsync(descriptor)

os.open, os.fsync = open_no_folder, sync_writable
sys.platform = "win32"
for name in ("fcntl", "resource"):
    sys.modules[name] = None
for name in ("SIGUSR1", "SIGUSR2", "SIGKILL", "SIGSTOP", "SIGHUP"):
    delattr(signal, name)

import stylegan
for module in pkgutil.walk_packages(stylegan.__path__, "stylegan."):
    if module.name not in ("stylegan.__main__", "stylegan.data.samples.make_avatars"):
        importlib.import_module(module.name)

from stylegan.machine.memory import keep_freed_memory, peak_memory_gb
assert (keep_freed_memory(), peak_memory_gb()) == (False, 0.0)

from tiny_generator import tiny_generator
stylegan.save(stylegan.Checkpoint(G_ema=tiny_generator()), "network")
images = stylegan.generate(stylegan.load("network", device="cpu"), [0, 1])
stylegan.save_png(stylegan.grid(images), "library.png")

from stylegan.runs.lock import locked
with locked(importlib.import_module("pathlib").Path("network")):
    pass

sys.argv = ["stylegan", "generate", "--network", "network", "--seeds", "0-1", "--trunc", "0.7", "--grid", "auto",
            "--device", "cpu", "--outdir", "."]
from stylegan.cli.main import main
main()
"""


def test_without_locks_resource_limits_and_folder_sync_everything_imports_and_images_are_drawn(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *filter(None, sys.path)])}
    command = [sys.executable, "-c", WITHOUT_POSIX]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    with Image.open(tmp_path / "library.png") as library, Image.open(tmp_path / "grid.png") as command_line:
        assert library.size == command_line.size == (2 * 16, 16)
