"""Time and memory to read a checkpoint of the official layout: our reader against stock pickle, which runs it.

python benchmarks/checkpoints.py [--json out.json]

The file has G, D and G_ema of config F at 1024 px with random weights, about 360 MB. Every reading is a process of its
own: its CPU and wall time, and by how much its peak resident memory exceeds that before, mapped pages of the file
included.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import torch
from measure import measured, summary

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from foreign_pickles import Persistent, dumps, foreign_modules, module_state

from stylegan.checkpoints.pickle_vm import read_pickle
from stylegan.networks.stylegan2 import Discriminator, Generator


def write(file: Path, resolution: int) -> None:
    """Write a checkpoint of random weights in the layout of the official snapshots."""
    with torch.device("meta"):
        networks = {"G": Generator(img_resolution=resolution), "D": Discriminator(img_resolution=resolution)}
        networks["G_ema"] = Generator(img_resolution=resolution)
    snapshot = {
        name: Persistent(type(network).__name__, module_state(network.to_empty(device="cpu")))
        for name, network in networks.items()
    }
    file.write_bytes(dumps({"training_set_kwargs": {"resolution": resolution}, **snapshot, "augment_pipe": None}))


def stock(file: Path) -> object:
    """Return the content of a pickle as Python does: it calls whatever the file names."""
    with foreign_modules(), open(file, "rb") as stream:
        return pickle.load(stream)


READERS = {"stock pickle": stock, "pickle_vm": read_pickle}


def peak() -> int:
    """Return the peak resident memory of this process in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def read_alone(reader: str, file: Path) -> dict[str, float]:
    """Return the cost of one reading in a process of its own."""
    command = [sys.executable, __file__, "--child", reader, "--file", str(file)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def read_here(reader: str, file: Path) -> dict[str, float]:
    before, wall, cpu = peak(), time.perf_counter(), time.process_time()
    content = READERS[reader](file)
    seconds = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    assert content
    return {**seconds, "peak_mb": (peak() - before) / 1e6}


@click.command()
@click.option("--resolution", default=1024, show_default=True)
@click.option("--child", type=click.Choice(list(READERS)), hidden=True)
@click.option("--file", type=click.Path(path_type=Path), hidden=True)
@measured(rounds=5)
def main(resolution: int, child: str | None, file: Path | None, rounds: int) -> dict:
    if child and file:
        click.echo(json.dumps(read_here(child, file)))
        return {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network-snapshot.pkl"
        write(file, resolution)
        size = file.stat().st_size / 1e6
        for reader in READERS:
            read_alone(reader, file)  # so that the file is in the page cache
        costs: dict[str, list[dict[str, float]]] = {reader: [] for reader in READERS}
        for _ in range(rounds):
            for reader in READERS:
                costs[reader].append(read_alone(reader, file))
    results = {
        reader: {key: summary([cost[key] for cost in found]) for key in found[0]} for reader, found in costs.items()
    }
    click.echo(f"{size:.0f} MB\n| reader | wall s (fastest to slowest) | CPU s | peak MB |\n|---|---|---|---|")
    for reader, found in results.items():
        wall, cpu, memory = (found[key] for key in ("wall_s", "cpu_s", "peak_mb"))
        click.echo(
            f"| {reader} | {wall['median_s']:.2f} ({wall['min_s']:.2f} to {wall['max_s']:.2f}) | {cpu['median_s']:.2f} "
            f"| {memory['median_s']:.0f} |"
        )
    ours, theirs = results["pickle_vm"], results["stock pickle"]
    ratios = {key: ours[key]["median_s"] / theirs[key]["median_s"] for key in ours}
    click.echo(f"Ratios: time {ratios['wall_s']:.2f}, CPU {ratios['cpu_s']:.2f}, memory {ratios['peak_mb']:.2f}.")
    return {"file_mb": size, "readers": results, "ratios": ratios}


if __name__ == "__main__":
    main()
