"""The library on systems that lack parts of POSIX, such as Windows, and on disks that can do little but write."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from PIL import Image

TESTS = Path(__file__).parent
# Third-party packages come first: only this library has to do without what is hidden after them.
WITHOUT_POSIX = """
import importlib, os, pathlib, pkgutil, signal, sys
import shutil
import click, numpy, PIL.Image, PIL.PngImagePlugin, pydantic.main, rich.progress, safetensors.torch, torch, yaml
import torch._dynamo, torch.distributed, torch.utils._python_dispatch, torch.utils._pytree
from golden import fill

real_open, real_fsync = os.open, os.fsync
writable = {}

def open_no_folder(path, flags, *args, **options):
    if os.path.isdir(path) and "dir_fd" not in options:
        raise PermissionError(13, "Permission denied", str(path))
    descriptor = real_open(path, flags, *args, **options)
    writable[descriptor] = bool(flags & (os.O_WRONLY | os.O_RDWR))
    return descriptor

def sync_writable(descriptor):
    if not writable.get(descriptor, True):
        raise OSError(9, "Bad file descriptor")
    real_fsync(descriptor)

def refuse(*arguments, **options):
    raise OSError(1, "Operation not permitted")

shutil._use_fd_functions = False
os.open, os.fsync, os.symlink = open_no_folder, sync_writable, refuse
sys.platform = "win32"
signal.SIGBREAK = signal.SIGTERM  # Windows has one of that name
for name in ("fcntl", "resource", "msvcrt"):
    sys.modules[name] = None
for name in ("SIGUSR1", "SIGUSR2", "SIGKILL", "SIGSTOP", "SIGHUP"):
    delattr(signal, name)
for name in ("fork", "fchmod", "posix_fallocate", "link", "mkfifo", "sched_getaffinity"):
    delattr(os, name)

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

from stylegan.cli.main import main

def run(command):
    sys.argv = ["stylegan", *command.split()]
    main()

drawing = "--trunc 0.7 --device cpu"
run(f"generate --network network --seeds 0-1 --grid auto --outdir . {drawing}")
run(f"generate --network network --seeds 0-1 --outdir single {drawing}")
run(f"interpolate --network network --seeds 0-1 --frames 2 --dest loop.webp {drawing}")
from tiny_run import tiny_images
tiny_images(pathlib.Path("images"), classes=2)
run("dataset --source images --dest data.zip")
training = "--cfg tiny16 --device cpu --cond --tick 0.008 --snap 1 --batch 8"
run(f"train --data data.zip --outdir runs --kimg 0.016 {training}")
(folder,) = pathlib.Path("runs").iterdir()
run(f"train --resume {folder} --kimg 0.024")
run(f"generate --network {folder} --class class1 --seeds 0 --outdir trained --device cpu")

from stylegan.runs.scores import link_best
(folder / "metric-fid8_efflite0.jsonl").write_text(
    '{"results": {"fid8_efflite0": 1.0}, "snapshot_pkl": "snapshots/000000", "nimg": 8}')
for _ in range(2):
    link_best(folder, ["fid8_efflite0"])
"""
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?|.*[. ]|.*[<>:\"/\\|?*\x00-\x1f].*", re.IGNORECASE)


def run_without_posix(folder: Path) -> str:
    """Return what the program prints to stderr."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(TESTS), *filter(None, sys.path)]),
        "STYLEGAN_CACHE": str(folder / "cache"),
    }
    command = [sys.executable, "-c", WITHOUT_POSIX]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    return result.stderr


def test_without_locks_limits_links_and_folder_sync_images_are_drawn_data_prepared_and_runs_trained(tmp_path):
    messages = run_without_posix(tmp_path)
    with Image.open(tmp_path / "library.png") as library, Image.open(tmp_path / "grid.png") as command_line:
        assert library.size == command_line.size == (2 * 16, 16)
    (run,) = (tmp_path / "runs").iterdir()
    assert sorted(path.name for path in run.glob("snapshots/*")) == ["000000", "000000.016", "000000.024"]
    locks, links = re.findall("Warning: (.*)", messages)
    assert locks.startswith("files are not locked, since this system has no locks; ")
    assert links.endswith("best cannot be a link to the best snapshot: Operation not permitted; see metric-*.jsonl.")
    written = [path.relative_to(tmp_path) for path in tmp_path.rglob("*")]
    assert len(written) > 50
    assert [path for path in written if RESERVED.fullmatch(path.name)] == []
    assert Counter(str(path).casefold() for path in written).most_common(1)[0][1] == 1  # names differ in more than case
