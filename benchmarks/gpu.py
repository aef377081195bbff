"""A CUDA GPU: drawing and training of presets in every number format, compiled or not, beside the images of the CPU.

python benchmarks/gpu.py [--config paper256 ...] [--task draw] [--rounds 5] [--json gpu.json]

A form that fails gets a row that says why. Needs PyTorch with CUDA and nothing else that the library does not need.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import click
import torch
from measure import json_option, report
from steps import STEPS, configuration, steps
from torch import Tensor

from stylegan.images.pixels import to_uint8
from stylegan.networks.family import generator_class
from stylegan.training.state import create_state

CONFIGS = {  # preset -> resolution, images to draw at a time
    "cpu64": (64, 64),
    "paper256": (256, 32),
    "paper1024": (1024, 8),
    "stylegan3-t": (256, 16),
    "stylegan3-r": (256, 16),
}
FORMATS = {"fp32": ("fp32", False), "tf32": ("fp32", True), "fp16": ("fp16", False), "bf16": ("bf16", False)}
HEADS = {
    "draw": "| network | format | form | ms per image | peak GB | largest step of 255 | PSNR (dB) | note |",
    "train": "| preset | format | form | s/kimg | peak GB | note |",
}


class Gpu:
    """The device of the measurement."""

    device = torch.device("cuda")

    def facts(self) -> dict[str, Any]:
        """Return what identifies the device and the software that drives it."""
        properties = torch.cuda.get_device_properties(self.device)
        return {
            "gpu": properties.name,
            "memory_gb": properties.total_memory / 2**30,
            "capability": f"{properties.major}.{properties.minor}",
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }

    def wait(self) -> None:
        torch.cuda.synchronize(self.device)

    def forget(self) -> None:
        """Release the memory of the form before, and begin to count the peak."""
        torch.compiler.reset()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(self.device)

    def peak_gb(self) -> float:
        return torch.cuda.max_memory_allocated(self.device) / 2**30

    def recorded(self, call: Callable[[], Tensor]) -> Callable[[], Tensor]:
        """Record a call as a CUDA graph, whose replay launches all kernels at once."""
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(3):
                call()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = call()

        def replay() -> Tensor:
            graph.replay()
            return result

        return replay


class Parity(NamedTuple):
    """The difference of images from those of the CPU in fp32."""

    step: int  # the largest, of 255
    psnr: float  # dB, infinite for equal images


def parity(images: Tensor, reference: Tensor) -> Parity:
    """Compare images [N, C, H, W] float in [-1, 1]."""
    images, reference = images.float().cpu().clamp(-1, 1), reference.clamp(-1, 1)
    step = int((to_uint8(images).int() - to_uint8(reference).int()).abs().max())
    return Parity(step, float(10 * (4 / (images - reference).square().mean()).log10()))


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Let products of float32 round their factors to 10 bits, or not, within the block."""
    backends = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [backend.allow_tf32 for backend in backends]
    try:
        for backend in backends:
            backend.allow_tf32 = allowed
        yield
    finally:
        for backend, value in zip(backends, before, strict=True):
            backend.allow_tf32 = value


def seconds(gpu: Gpu, call: Callable[[], object], rounds: int) -> float:
    """Return the median seconds of a call, after one that is not timed."""
    call()
    times = []
    for _ in range(rounds):
        gpu.wait()
        start = time.perf_counter()
        call()
        gpu.wait()
        times.append(time.perf_counter() - start)
    return median(times)


def draw_rows(gpu: Gpu, name: str, rounds: int) -> Iterator[dict[str, Any]]:
    """Measure drawing in every format, uncompiled, compiled and as a CUDA graph of either."""
    resolution, batch = CONFIGS[name]
    config = configuration(name, resolution)
    torch.manual_seed(0)
    G = generator_class(config.architecture)(**config.generator).eval().requires_grad_(False)
    with torch.no_grad():
        ws = G.mapping(torch.randn(batch, G.z_dim))
        reference = G.synthesis(ws, noise_mode="const", force_fp32=True)
        G, ws = G.to(gpu.device), ws.to(gpu.device)
        for label, (precision, rounded) in FORMATS.items():
            for compile in (False, True):
                form = "compiled" if compile else "uncompiled"
                for recorded in (False, True):
                    row = {"network": name, "format": label, "form": form + (", CUDA graph" if recorded else "")}
                    with tf32(rounded):
                        yield row | _attempt(
                            functools.partial(_drawn, gpu, G, ws, reference, precision, compile, recorded, rounds)
                        )


def _drawn(
    gpu: Gpu, G: Any, ws: Tensor, reference: Tensor, precision: str, compile: bool, recorded: bool, rounds: int
) -> dict[str, Any]:
    gpu.forget()
    synthesis = G.for_inference(precision, compile).synthesis
    call = functools.partial(synthesis, ws, noise_mode="const")
    call()  # compiles
    call = gpu.recorded(call) if recorded else call
    ms = 1000 * seconds(gpu, call, rounds) / len(ws)
    return {"ms_per_image": ms, "peak_gb": gpu.peak_gb(), **parity(call(), reference)._asdict()}


def train_rows(gpu: Gpu, name: str, rounds: int) -> Iterator[dict[str, Any]]:
    """Measure training with all phases at their intervals, in every format, uncompiled and compiled."""
    for label, (precision, rounded) in FORMATS.items():
        for compile in (False, True):
            row = {"preset": name, "format": label, "form": "compiled" if compile else "uncompiled"}
            changes = {"precision": precision, "compile": compile, "augment.mode": "noaug"}
            with tf32(rounded):
                yield row | _attempt(functools.partial(_trained, gpu, name, changes, rounds))


def _trained(gpu: Gpu, name: str, changes: dict[str, Any], rounds: int) -> dict[str, Any]:
    gpu.forget()
    config = configuration(name, CONFIGS[name][0], changes)
    take_steps = steps(create_state(config, gpu.device), config)
    taken = seconds(gpu, take_steps, rounds)
    return {"s_per_kimg": taken / STEPS / config.batch * 1000, "peak_gb": gpu.peak_gb()}


def _attempt(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the numbers, or the reason why there are none."""
    try:
        return measure()
    except Exception as error:  # whatever a driver, a compiler or the memory runs into
        return {"note": (str(error).strip().splitlines() or [type(error).__name__])[0][:100].replace("|", "/")}


def table_row(row: dict[str, Any], task: str) -> str:
    """Return a row of the table in Markdown, with empty cells for what could not be measured."""
    digits = {"ms_per_image": 2, "s_per_kimg": 2, "peak_gb": 2, "step": 0, "psnr": 1}
    names = {
        "draw": ["network", "format", "form", "ms_per_image", "peak_gb", "step", "psnr", "note"],
        "train": ["preset", "format", "form", "s_per_kimg", "peak_gb", "note"],
    }[task]
    cells = [row.get(name, "") for name in names]
    texts = [f"{x:.{digits[n]}f}" if isinstance(x, int | float) else x for n, x in zip(names, cells, strict=True)]
    return f"| {' | '.join(texts)} |"


def measure(gpu: Gpu, configs: list[str], tasks: list[str], rounds: int) -> dict[str, Any]:
    """Print a table for each task while it is measured, and return all rows."""
    results: dict[str, Any] = {}
    for task in tasks:
        rows_of = {"draw": draw_rows, "train": train_rows}[task]
        click.echo(f"{HEADS[task]}\n{'|---' * (HEADS[task].count('|') - 1)}|")
        results[task] = []
        for name in configs:
            for row in rows_of(gpu, name, rounds):
                click.echo(table_row(row, task))
                results[task].append(row)
        click.echo()
    return results


@click.command()
@click.option("--config", "configs", multiple=True, type=click.Choice(list(CONFIGS)), default=list(CONFIGS))
@click.option("--task", "tasks", multiple=True, type=click.Choice(list(HEADS)), default=list(HEADS))
@click.option("--rounds", default=5, show_default=True)
@json_option
def main(configs: list[str], tasks: list[str], rounds: int, path: Path | None) -> None:
    if not torch.cuda.is_available():
        raise click.ClickException("this benchmark needs a CUDA GPU and a PyTorch built for it, but finds none.")
    gpu = Gpu()
    facts = gpu.facts()
    click.echo(", ".join(f"{name} {value}" for name, value in {**facts, "torch": torch.__version__}.items()) + "\n")
    report(measure(gpu, configs, tasks, rounds), path, **facts)


if __name__ == "__main__":
    main()
