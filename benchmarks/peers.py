"""One network drawn by every program that can: the textbook form, ours, ONNX Runtime and OpenVINO, alternating.

python benchmarks/peers.py [--config 256 --batch 4] [--cpu-time --threads 1] [--isa AVX2] [--json out.json]

Programs that are not installed are left out. With --cpu-time and one thread, other programs on the machine hardly
matter. --isa limits the instructions of oneDNN and PyTorch, as on an older CPU.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

ISA = {"AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}}
TORCH_FORMS = ["fp32", "fp32 compiled", "bf16", "bf16 compiled"]
FORMS = ["textbook", *TORCH_FORMS, "onnxruntime fp32", "openvino fp32", "openvino bf16"]


def forms(name: str, batch: int, names: list[str], threads: int) -> dict[str, Callable[[], Any]]:
    """Return the programs to time, by name; each draws the same images."""
    import torch
    from generate import CONFIGS

    torch.manual_seed(0)
    ours, baseline, args, _ = CONFIGS[name]
    G = ours.Generator(**args).eval().requires_grad_(False)
    with torch.no_grad():
        ws = G.mapping(torch.randn(batch, G.z_dim))
    calls: dict[str, Callable[[], Any]] = {}
    for form in names:
        precision, _, more = form.partition(" ")
        if form == "textbook":
            textbook = baseline.Generator(G)
            calls[form] = lambda textbook=textbook: textbook.synthesis(ws)
        elif form in TORCH_FORMS:
            synthesis = G.for_inference(precision, more == "compiled").synthesis
            calls[form] = lambda synthesis=synthesis: synthesis(ws, noise_mode="const")
        elif find_spec(precision) is None:
            click.echo(f"{form} is left out: {precision} is not installed.", err=True)
        elif precision == "openvino":
            synthesis = G.for_inference(more, engine="openvino").synthesis
            calls[form] = lambda synthesis=synthesis: synthesis(ws, noise_mode="const")
        else:
            calls[form] = onnxruntime_form(G, ws, threads)
    return calls


def onnxruntime_form(G: Any, ws: Any, threads: int) -> Callable[[], Any]:
    """Return the drawing of ONNX Runtime, of the program that OpenVINO draws too."""
    import onnxruntime
    import torch

    from stylegan.inference.openvino import exported_program, input_tensors, noise_constants

    synthesis = G.for_inference().synthesis
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inputs = synthesis.prepare_inputs(ws)
        file = Path(folder) / "network.onnx"
        torch.onnx.export(exported_program(synthesis, inputs), (), file, dynamo=True, verbose=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    noise = [const.expand(len(ws), 1, *const.shape[-2:]) for const in noise_constants(synthesis)]
    names = [x.name for x in session.get_inputs()]

    @torch.no_grad()
    def draw() -> Any:
        tensors = [*input_tensors(synthesis.prepare_inputs(ws)), *noise]
        arrays = (t.contiguous().numpy() for t in tensors)
        return torch.from_numpy(session.run(None, dict(zip(names, arrays, strict=True)))[0])

    return draw


def measure(
    name: str, batch: int, names: list[str], rounds: int, threads: int, clock: Callable[[], float]
) -> dict[str, dict[str, float]]:
    """Return the median and fastest milliseconds per image of each program, and its largest step from ours in fp32."""
    import torch
    from measure import return_freed_memory, summary

    from stylegan.images.pixels import to_uint8
    from stylegan.machine.memory import keep_freed_memory

    calls = forms(name, batch, names, threads)
    seconds: dict[str, list[float]] = {form: [] for form in calls}
    with torch.no_grad():
        images = {form: to_uint8(call()).int() for form, call in calls.items()}
        for _ in range(rounds):
            for form, call in calls.items():
                return_freed_memory() if form == "textbook" else keep_freed_memory()
                call()
                start = clock()
                call()
                seconds[form].append(clock() - start)
    reference = images.get("fp32", next(iter(images.values())))
    return {
        form: {
            "median_ms": 1000 * summary(times)["median_s"] / batch,
            "min_ms": 1000 * min(times) / batch,
            "step": int((images[form] - reference).abs().max()),
        }
        for form, times in seconds.items()
    }


@click.command()
@click.option("--config", "configs", multiple=True, default=["256"], show_default=True, help="As in generate.py.")
@click.option("--batch", "batches", type=int, multiple=True, default=[1, 4], show_default=True)
@click.option("--form", "names", type=click.Choice(FORMS), multiple=True, default=FORMS)
@click.option("--rounds", default=5, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--cpu-time", is_flag=True, help="Count the seconds that the CPU worked for this process.")
@click.option(
    "--isa", type=click.Choice(list(ISA)), help="Use only these instructions, where a library can be limited."
)
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write the result to this file.")
def main(
    configs: list[str],
    batches: list[int],
    names: list[str],
    rounds: int,
    threads: int,
    cpu_time: bool,
    isa: str | None,
    path: Path | None,
) -> None:
    if isa and any(os.environ.get(key) != value for key, value in ISA[isa].items()):
        os.environ.update(ISA[isa])  # read when the libraries are loaded, so start again
        os.execv(sys.executable, [sys.executable, *sys.argv])
    import torch
    from measure import report

    torch.set_num_threads(threads)
    clock = time.process_time if cpu_time else time.perf_counter
    click.echo(f"{cpu_name()}, {threads} threads, {'CPU' if cpu_time else 'wall'} time, {isa or 'all instructions'}\n")
    head = "| network | program | ms per image | fastest | times as fast as the textbook form | largest step of 255 |"
    click.echo(f"{head}\n{'|---' * 6}|")
    results = []
    for name in configs:
        for batch in batches:
            result = measure(name, batch, list(names), rounds, threads, clock)
            slowest = result.get("textbook", {}).get("median_ms")
            for form, r in result.items():
                ratio = f"{slowest / r['median_ms']:.2f}" if slowest else ""
                numbers = f"{r['median_ms']:.0f} | {r['min_ms']:.0f} | {ratio} | {r['step']}"
                click.echo(f"| {name} px, batch {batch} | {form} | {numbers} |")
            results.append({"config": name, "batch": batch, "programs": result})
    report({"results": results}, path, cpu=cpu_name(), isa=isa, cpu_time=cpu_time)


def cpu_name() -> str:
    """Return the name of the CPU that the system gives."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    found = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    if "model name" not in found:
        return platform.processor() or platform.machine()
    return f"{found['model name']} (family {found.get('cpu family')}, model {found.get('model')})"


if __name__ == "__main__":
    main()
