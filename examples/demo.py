"""The library in five minutes: draw with a trained network, then train one. The results are in out/demo/index.html.

python examples/demo.py
"""

from __future__ import annotations

import shlex
import shutil
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from demo_page import Chapter, write_page
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

import stylegan
from stylegan.checkpoints.commands import stylegan_command
from stylegan.data.samples import avatars
from stylegan.errors import MissingExtra
from stylegan.images import make_grid, save_video
from stylegan.models import DEFAULT
from stylegan.runs.report import loss_plot, time_strip
from stylegan.sampling import draw, loop, mixing_matrix, parse_styles, truncation_sweep
from stylegan.training import Run, Tick

OUT = Path("out/demo")
DATA = "avatars32.zip"  # in OUT
TRAINING_S = 180
EVERY_S = 10  # between two lines of progress, if the output is not a terminal
TRUNC = 0.7
# Beside those of the preset, the settings that show faces soonest on a few cores.
QUICK: dict[str, Any] = {
    "batch": 16,
    "r1_gamma": 2,
    "generator": {"channel_max": 64},
    "discriminator": {"channel_max": 64},
    "style_mixing_prob": 0.5,
    "ema_rampup": 0.1,
    "tick_kimg": 0.5,
    "snap_ticks": 4,
}
AS_FLAGS = "--batch 16 --gamma 2 --cmax 64 --set style_mixing_prob=0.5 --set ema_rampup=0.1 --tick 0.5 --snap 4"
PSIS = (-1, -0.5, 0, 0.5, 0.7, 1, 1.3)
FRESH = "fresh"  # in OUT: images of the network that the demo trains


def demo(out: Path = OUT, seconds: float = TRAINING_S) -> None:
    """Draw, train for `seconds` or until Ctrl-C, and replace the folder `out` by the results."""
    start = time.perf_counter()
    shutil.rmtree(out, ignore_errors=True)
    print(f"Drawing with {DEFAULT}, which ships with the library")
    chapters = list(about_drawing(out))
    data = stylegan.prepare(avatars(), out / DATA, resolution=32).dest
    run = stylegan.train(data, out, cfg="cpu32", **QUICK)
    print(f"{run.headline}\nTraining for {seconds:.0f} s")
    last = train_for(seconds, run)
    write_page(out / "index.html", run.folder, last, [*chapters, *about_training(out, run, last)])
    print(f"Wrote {out / 'index.html'}, in {time.perf_counter() - start:.0f} s: open it in a browser. Then try")
    longer = stylegan_command("train", "--resume", run.folder, "--kimg", last.nimg // 1000 + 100)
    print(f"  .venv/bin/stylegan generate --seeds 100-131 --grid 8x4 --trunc {TRUNC}  # other faces")
    print(f"  .venv/bin/{longer}  # continue training")


def quote(path: object) -> str:
    """Return a path, or code, as one word of a shell."""
    return shlex.quote(str(path))


def train_for(seconds: float, run: Run) -> Tick:
    """Train for `seconds`, or until Ctrl-C, and return the last tick."""
    timer = threading.Timer(seconds, run.stop)
    timer.daemon = True
    timer.start()
    last = None
    with stopped_by_ctrl_c(run):
        for tick in shown(run, seconds):
            last = tick
    timer.cancel()
    if last is None:
        raise SystemExit("Stopped before the first step of training, so there is nothing to show.")
    return last


@contextmanager
def stopped_by_ctrl_c(run: Run) -> Iterator[None]:
    """Let the first Ctrl-C end the training with a snapshot; the second one stops at once."""

    def interrupted(*_: object) -> None:
        run.stop()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def shown(ticks: Iterable[Tick], seconds: float) -> Iterator[Tick]:
    """Yield the same ticks; a terminal shows a progress bar, and other outputs get a line every few seconds."""
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("Training", total=seconds)
        printed = 0.0
        for tick in ticks:
            state = f"{tick.nimg / 1000:5.1f} kimg, {1000 / tick.sec_per_kimg:4.0f} images/s"
            bar.update(task, completed=tick.seconds, description=state)
            if not console.is_terminal and tick.seconds - printed >= EVERY_S:
                printed = tick.seconds
                print(f"{tick.seconds:5.0f} s  {state}", flush=True)
            yield tick


def about_drawing(out: Path) -> Iterator[Chapter]:
    """Yield the chapters about the images of the network that ships with the library."""
    G = stylegan.load(DEFAULT)

    stylegan.save_png(stylegan.grid(stylegan.generate(G, range(28), psi=TRUNC), 7), out / "grid.png")
    yield Chapter(
        "New faces",
        "grid.png",
        "Drawn by the network alone: every seed, a number, gives a different face.",
        f"stylegan generate --outdir {quote(out)} --seeds 0-27 --grid 7x4 --trunc {TRUNC}",
    )
    stylegan.save_png(make_grid(truncation_sweep(G, range(4), PSIS), len(PSIS), 4), out / "truncation.png")
    yield Chapter(
        "Truncation",
        "truncation.png",
        f"From the opposite of a face (ψ = {PSIS[0]}) through the average of all faces (ψ = 0, the third column) to an "
        f"exaggeration (ψ = {PSIS[-1]}): a small ψ gives better images, a large ψ more variety.",
        f"stylegan generate --outdir {quote(out)} --seeds 0-3 --trunc={','.join(map(str, PSIS))}",
    )
    rows, columns = range(4), range(4, 10)
    layers = parse_styles("coarse", G.num_ws)
    stylegan.save_png(make_grid(mixing_matrix(G, rows, columns, layers, psi=TRUNC), 7, 5), out / "mix.png")
    yield Chapter(
        "Mixing",
        "mix.png",
        "Every face has the coarse layers (head, hair, hat) of the face at the top of its column and the finer layers "
        "(colors, details) of the face at the left of its row.",
        f"stylegan mix --outdir {quote(out)} --rows 0-3 --cols 4-9 --styles coarse --trunc {TRUNC}",
    )
    save_video(draw(G, loop(G, range(6), 20, psi=TRUNC)), out / "loop.gif", fps=20)
    yield Chapter(
        "Moving",
        "loop.gif",
        "A straight line through the latent space W of the network from seed to seed, and back to the first.",
        f"stylegan interpolate --seeds 0-5 --frames 20 --fps 20 --trunc {TRUNC} --dest {quote(out / 'loop.gif')}",
    )


def about_training(out: Path, run: Run, last: Tick) -> Iterator[Chapter]:
    """Yield the chapters about the training: its images, its progress and its result."""
    data = run.dataset
    stylegan.save_png(make_grid(data.images(range(28)), 14, 2), out / "reals.png")
    yield Chapter(
        "The images it learns from",
        "reals.png",
        f"{len(data)} drawn faces that come with the library, resized to {data.resolution} pixels.",
        f"stylegan dataset --source {quote(avatars())} --dest {quote(out / DATA)} "
        f"--resolution {data.resolution}x{data.resolution}",
    )
    time_strip(run.folder, out / "time.png", min_px=96)
    yield Chapter(
        "Learning",
        "time.png",
        "Each row is one seed, drawn at intervals while the network learns, from noise at the left to the state "
        f"after {last.nimg / 1000:.0f} thousand training images (kimg) at the right.",
        f"stylegan train --data {quote(out / DATA)} --cfg cpu32 {AS_FLAGS} --kimg {last.nimg / 1000:g} "
        f"--outdir {quote(out)}",
    )
    images = stylegan.generate(stylegan.load(run.folder), range(32), psi=TRUNC)
    stylegan.save_png(stylegan.grid(images, 8), out / FRESH / "grid.png")
    yield Chapter(
        "After a few minutes",
        f"{FRESH}/grid.png",
        f"Drawn by the new network after {last.seconds:.0f} seconds of training. The network above trained for hours.",
        f"stylegan generate --network {quote(run.folder)} --outdir {quote(out / FRESH)} --seeds 0-31 --grid 8x4 "
        f"--trunc {TRUNC}",
    )
    arguments = f"{str(run.folder)!r}, {str(out / 'losses.png')!r}"
    try:
        loss_plot(run.folder, out / "losses.png")
    except MissingExtra as error:
        print(f"No loss plot: {error}")
        return
    yield Chapter(
        "Two networks against each other",
        "losses.png",
        "The generator draws images, and the discriminator scores how real they look. Both keep learning as long as "
        "neither wins, that is, while no score grows without bound.",
        f"python -c {quote(f'from stylegan.runs.report import loss_plot; loss_plot({arguments})')}",
    )


if __name__ == "__main__":
    demo()
