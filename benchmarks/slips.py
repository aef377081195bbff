"""Slips planted one by one in a copy of the library: do the tests that should notice each of them fail?

python benchmarks/slips.py            # all, about ten minutes
python benchmarks/slips.py --only 3   # one
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import click

ROOT = Path(__file__).parents[1]
COPIED = ("stylegan", "tests", "pyproject.toml")
TIMEOUT_S = 120.0  # of the tests of a slip
NOTICED = "noticed by"
FAILED = 1  # exit code of pytest if tests fail; larger ones mean that they did not run


class Slip(NamedTuple):
    """One mistake of a line."""

    what: str
    file: str  # from stylegan/
    old: str  # occurs exactly once in the file
    new: str
    tests: str  # from tests/, separated by spaces


SLIPS = (
    Slip(
        "mirrored images are not flipped, and the others are",
        "data/subset.py",
        "self._copy % 2 == 1 if self.mirror",
        "self._copy % 2 == 0 if self.mirror",
        "data/test_dataset.py",
    ),
    Slip(
        "mirroring along the wrong axes",
        "data/dataset.py",
        "(self.subset.flipped[at], 3), (self.subset.flipped_y[at], 2)",
        "(self.subset.flipped[at], 2), (self.subset.flipped_y[at], 3)",
        "data/test_dataset.py",
    ),
    Slip(
        "balanced classes start over in every step",
        "data/order.py",
        "np.arange(start, start + count) // len(members)",
        "np.arange(count) // len(members)",
        "data/test_order.py",
    ),
    Slip(
        "the shares of two processes overlap",
        "data/stream.py",
        "position = start + self._rank * share",
        "position = start + self._rank",
        "data/test_stream.py",
    ),
    Slip(
        "class names are dropped if their number fits exactly",
        "data/labels.py",
        "len(class_names) >= n",
        "len(class_names) > n",
        "data/test_labels.py",
    ),
    Slip(
        "an image counts as enlarged by its longer side",
        "data/prepare.py",
        "min(header.width, header.height) < config.size[0]",
        "max(header.width, header.height) < config.size[0]",
        "data/test_prepare.py",
    ),
    Slip(
        "label vectors of zeros and ones are read as classes",
        "data/tfrecords.py",
        "((rows == 0) | (rows == 1)).all() and (rows.sum(1) == 1).all()",
        "((rows == 0) | (rows == 1)).all()",
        "data/test_tfrecords.py",
    ),
    Slip(
        "rows and columns of CIFAR swapped",
        "data/cifar.py",
        "transpose(1, 2, 0)",
        "transpose(2, 1, 0)",
        "data/test_cifar.py",
    ),
    Slip(
        "KID divides by all pairs, also those that it leaves out",
        "metrics/kid.py",
        "(m * (m - 1))",
        "(m * m)",
        "metrics/test_kid.py",
    ),
    Slip(
        "deviation of the inception score divided by n - 1",
        "metrics/inception_score.py",
        "values.std(correction=0)",
        "values.std()",
        "metrics/test_inception_score.py",
    ),
    Slip(
        "nearest neighbors count the feature itself",
        "metrics/manifolds.py",
        "kthvalue(k + 1",
        "kthvalue(k",
        "metrics/test_manifolds.py",
    ),
    Slip(
        "ratios of authenticity stay squared",
        "metrics/manifolds.py",
        "squared / own[numbers]).sqrt()",
        "squared / own[numbers])",
        "metrics/test_manifolds.py",
    ),
    Slip(
        "path lengths are trimmed below only",
        "metrics/path_length.py",
        "(distances >= low) & (distances <= high)",
        "distances >= low",
        "metrics/test_path_length.py",
    ),
    Slip(
        "crop of the path length with rows and columns swapped",
        "metrics/path_length.py",
        "3 * c : 7 * c, 2 * c : 6 * c",
        "2 * c : 6 * c, 3 * c : 7 * c",
        "metrics/test_path_length.py",
    ),
    Slip(
        "EQ-T and EQ-R move to one side only",
        "metrics/equivariance.py",
        "(2 * torch.rand(kind.numbers, generator=rng, dtype=torch.float64) - 1)",
        "torch.rand(kind.numbers, generator=rng, dtype=torch.float64)",
        "metrics/test_equivariance.py",
    ),
    Slip(
        "the mask of equivariance counts one channel of three",
        "metrics/equivariance.py",
        "mask = mask.expand_as(moved)",
        "pass",
        "metrics/test_equivariance.py metrics/test_equivariance_of_networks.py",
    ),
    Slip(
        "every batch of a metric draws the same noise",
        "metrics/batches.py",
        "np.random.SeedSequence([seed, i])",
        "np.random.SeedSequence([seed])",
        "metrics/test_fid.py metrics/test_subject.py",
    ),
    Slip(
        "separability keeps the images that classifiers are least certain about",
        "metrics/separability.py",
        "descending=True",
        "descending=False",
        "metrics/test_separability.py",
    ),
    Slip(
        "a checkpoint may name fewer labels than it has",
        "checkpoints/native.py",
        "isinstance(names, list) and len(names) == G.c_dim and all",
        "isinstance(names, list) and all",
        "checkpoints/test_native.py",
    ),
    Slip(
        "a copied snapshot counts thousands of images as images",
        "checkpoints/snapshots.py",
        "round(1000 * kimg_of(snapshot))",
        "round(kimg_of(snapshot))",
        "checkpoints/test_snapshots.py",
    ),
    Slip(
        "rosinality's filters are written without the gain of enlarging",
        "checkpoints/rosinality.py",
        "setup_filter(G.settings.resample_filter, separable=False) * 4",
        "setup_filter(G.settings.resample_filter, separable=False)",
        "checkpoints/test_convert.py",
    ),
    Slip(
        "a converted file does not keep the probability of augmentation",
        "checkpoints/rosinality.py",
        "augment_p=float(p) if isinstance(p, int | float) else 0.0",
        "augment_p=0.0",
        "checkpoints/test_convert.py",
    ),
    Slip(
        "--rotate is ignored",
        "cli/generate.py",
        "inverse_transform(*translate, *rotate)",
        "inverse_transform(*translate)",
        "cli/test_generate_command.py",
    ),
    Slip(
        "the verb metrics ignores --mirror",
        "cli/metrics.py",
        "max_images=max_reals, mirror=mirror",
        "max_images=max_reals",
        "cli/test_metrics_command.py",
    ),
    Slip(
        "the verb project ignores --mask",
        "cli/project.py",
        "label=label, mask=known, seed=seed",
        "label=label, seed=seed",
        "cli/test_project_command.py",
    ),
    Slip(
        "the verb interpolate ignores --trunc-cutoff",
        "cli/interpolate.py",
        "labels=labels, psi=psi, cutoff=cutoff",
        "labels=labels, psi=psi",
        "cli/test_interpolate_command.py",
    ),
    Slip(
        "rows and columns of the verb mix swapped",
        "cli/mix.py",
        "mixing_matrix(G, row_seeds, col_seeds",
        "mixing_matrix(G, col_seeds, row_seeds",
        "cli/test_mix_command.py",
    ),
    Slip(
        "--lr sets the rate of the generator alone",
        "cli/train_config.py",
        '"lr": ("g_lr", "d_lr")',
        '"lr": ("g_lr",)',
        "cli/test_train_command.py",
    ),
    Slip(
        "R2 keeps its weight while R1 is annealed",
        "training/schedules.py",
        "config.r2_gamma * gamma",
        "config.r2_gamma",
        "training/test_schedules.py",
    ),
    Slip(
        "the gap of held-out images has the wrong sign",
        "training/snapshot_health.py",
        "(train - held_out) / separation",
        "(held_out - train) / separation",
        "training/test_snapshot_health.py",
    ),
    Slip(
        "the discriminator stays in evaluation after a snapshot",
        "training/snapshot_health.py",
        "            state.D.train()",
        "            pass",
        "training/test_snapshot_health.py",
    ),
    Slip(
        "opacity counts as a color where a network becomes gray",
        "training/transfer.py",
        "1 / min(source, 3)",
        "1 / source",
        "training/test_transfer.py",
    ),
    Slip(
        "the micro-batch of small images grows by sides, not by pixels",
        "training/growing.py",
        "config.micro_batch * 4 ** int(stage.lod)",
        "config.micro_batch * 2 ** int(stage.lod)",
        "training/test_growing_schedule.py",
    ),
    Slip(
        "seconds per thousand images are those per image",
        "training/clock.py",
        "max(state.nimg - self._nimg, 1) * 1000",
        "max(state.nimg - self._nimg, 1)",
        "training/test_clock.py",
    ),
    Slip(
        "truncation to the center of a class ignores the cutoff",
        "sampling/class_center.py",
        "truncation_psi, truncation_cutoff)",
        "truncation_psi, None)",
        "sampling/test_class_center.py",
    ),
    Slip(
        "noise loses variance between two latents",
        "sampling/latent.py",
        "math.sqrt(1 - t) * a",
        "(1 - t) * a",
        "sampling/test_latent.py",
    ),
    Slip(
        "a circle of motion runs the other way",
        "sampling/motion.py",
        "-REACH * math.sin",
        "REACH * math.sin",
        "sampling/test_motion.py",
    ),
    Slip(
        "the whiteness of noise sees horizontal neighbors alone",
        "inversion/whiteness.py",
        "for axis in (3, 2):",
        "for axis in (3,):",
        "inversion/test_projector.py",
    ),
    Slip(
        "pixels that a mask hides count in the goal",
        "inversion/goal.py",
        "(known - self.pixels)",
        "(images - self.pixels)",
        "inversion/test_goal.py",
    ),
    Slip(
        "locality of pivotal tuning measured over layers",
        "inversion/pivotal.py",
        "direction.norm(dim=2, keepdim=True)",
        "direction.norm(dim=1, keepdim=True)",
        "inversion/test_pivotal.py",
    ),
)


def plant(slip: Slip, library: Path) -> str:
    """Write a slip into a copy of the library; return the text of the file before it."""
    file = library / slip.file
    text = file.read_text(encoding="utf-8")
    if text.count(slip.old) != 1:
        raise click.ClickException(
            f"{slip.file} holds {slip.old!r} {text.count(slip.old)} times, expected 1; correct the table."
        )
    file.write_text(text.replace(slip.old, slip.new), encoding="utf-8")
    return text


def result_of(slip: Slip, copy: Path) -> str:
    """Return the first test that fails in the copy of the repository that holds a slip, or that all pass."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "-p", "no:cacheprovider"]
    tests = [f"tests/{name}" for name in slip.tests.split()]
    environment = {**os.environ, "PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [*command, *tests], cwd=copy, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return f"NO RESULT after {TIMEOUT_S:.0f} s"
    failed = re.search(r"^(?:FAILED|ERROR) \S+?::(\w+)", done.stdout, re.MULTILINE)
    if done.returncode > FAILED or (done.returncode == FAILED and failed is None):
        raise click.ClickException(f"{slip.tests} did not run: {(done.stdout + done.stderr)[-2000:]}")
    return f"{NOTICED} {failed[1]}" if failed is not None else "NOT NOTICED"


@click.command()
@click.option("--only", type=click.IntRange(1, len(SLIPS)), metavar="N", help="Plant slip N alone.")
def main(only: int | None) -> None:
    """Print a row of a table for each slip, and how many of them were noticed."""
    chosen = [only] if only else range(1, len(SLIPS) + 1)
    hits = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            source = ROOT / name
            shutil.copytree(source, copy / name) if source.is_dir() else shutil.copy(source, copy / name)
        click.echo("| | slip | file | result | s |\n|--:|---|---|---|--:|")
        for number in chosen:
            slip = SLIPS[number - 1]
            start = time.perf_counter()
            before = plant(slip, copy / "stylegan")
            try:
                result = result_of(slip, copy)
            finally:
                (copy / "stylegan" / slip.file).write_text(before, encoding="utf-8")
            hits += result.startswith(NOTICED)
            click.echo(f"| {number} | {slip.what} | {slip.file} | {result} | {time.perf_counter() - start:.0f} |")
    click.echo(f"\n{hits} of {len(chosen)} slips were noticed.")


if __name__ == "__main__":
    main()
