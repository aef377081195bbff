"""Peak memory of generating one image, beyond the loaded network; each form runs in its own process.

python benchmarks/memory.py [--config 1024] [--json out.json]
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import torch
from generate import CONFIGS
from measure import TEXTBOOK, json_option, report

FORMS = [TEXTBOOK, "fp32", "fp32 compiled", "bf16", "bf16 compiled"]


def working_memory(config: str, form: str) -> float:
    """Return the MB by which the resident memory of this process rises while it generates an image."""
    torch.set_num_threads(2)
    ours, baseline, args, _ = CONFIGS[config]
    G = ours.Generator(**args).eval().requires_grad_(False)
    ws = G.mapping(torch.randn(1, G.z_dim))
    precision, _, compiled = form.partition(" ")
    drawer = baseline.Generator(G) if form == TEXTBOOK else G.for_inference(precision, bool(compiled))
    synthesis = drawer.synthesis
    with torch.no_grad():
        if compiled:
            synthesis(ws, noise_mode="const")  # excludes the memory of the compiler
        before = _resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # reset the peak
        synthesis(ws, noise_mode="const")
    return _resident("VmHWM") - before


def _resident(field: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


@click.command()
@click.option("--config", type=click.Choice(list(CONFIGS)), default="1024", show_default=True)
@click.option("--form", type=click.Choice(FORMS), help="Measure only this form, in this process, and print the number.")
@json_option
def main(config: str, form: str | None, path: Path | None) -> None:
    if form:
        click.echo(json.dumps(working_memory(config, form)))
        return
    results = {}
    click.echo("| form | MB beyond the network | relative to textbook |\n|---|---|---|")
    for name in FORMS:
        command = [sys.executable, __file__, "--config", config, "--form", name]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        results[name] = json.loads(output.strip().splitlines()[-1])
        click.echo(f"| {name} | {results[name]:.0f} | {results[name] / results[TEXTBOOK]:.0%} |")
    report({"config": config, "mb": results}, path)


if __name__ == "__main__":
    main()
