"""Operations: values, first and second derivatives of ours against the textbook form, alternating.

python benchmarks/ops.py [--precision bf16] [--json out.json]
"""

from __future__ import annotations

from collections.abc import Callable

import click
import torch
from baseline import ops as baseline
from measure import TEXTBOOK, measured, summary, take_turns
from torch import Tensor

from stylegan.machine.precision import DTYPES
from stylegan.ops import bias_act, downsample2d, modulated_conv2d, resample_conv2d, setup_filter, upsample2d

F4 = setup_filter([1, 3, 3, 1])
BATCH, CHANNELS, SIZE = 8, 64, 128


def operations() -> dict[str, tuple[Callable, Callable, list[tuple[int, ...]]]]:
    """Return name -> (ours, textbook, shapes of the differentiable inputs)."""
    x, w, s, b = (BATCH, CHANNELS, SIZE, SIZE), (CHANNELS, CHANNELS, 3, 3), (BATCH, CHANNELS), (CHANNELS,)

    def modulated(x: Tensor, w: Tensor, s: Tensor) -> Tensor:
        return baseline.modulated_conv2d(x, w, s, per_sample=False)

    def modulated_up(x: Tensor, w: Tensor, s: Tensor) -> Tensor:
        return baseline.modulated_conv2d(x, w, s, up=2, f=F4, per_sample=False)

    def conv_down(x: Tensor, w: Tensor) -> Tensor:
        return torch.nn.functional.conv2d(baseline.upfirdn2d(x, F4, pad=(2, 2, 2, 2)), w, stride=2)

    return {
        "upsample2d": (
            lambda x: upsample2d(x, F4),
            lambda x: baseline.upfirdn2d(x, F4, up=2, pad=(2, 1, 2, 1), gain=4),
            [x],
        ),
        "downsample2d": (
            lambda x: downsample2d(x, F4),
            lambda x: baseline.upfirdn2d(x, F4, down=2, pad=(1, 1, 1, 1)),
            [x],
        ),
        "bias_act": (
            lambda x, b: bias_act(x, b, act="lrelu", clamp=256.0),
            lambda x, b: baseline.bias_act(x, b, "lrelu", clamp=256.0),
            [x, b],
        ),
        "modulated_conv2d": (lambda x, w, s: modulated_conv2d(x, w, s), modulated, [x, w, s]),
        "modulated_conv2d, up 2": (
            lambda x, w, s: modulated_conv2d(x, w, s, up=2, f=F4, flip_weight=False),
            modulated_up,
            [(BATCH, CHANNELS, SIZE // 2, SIZE // 2), w, s],
        ),
        "convolution, down 2": (
            lambda x, w: resample_conv2d(x, w.to(x.dtype), F4, down=2, padding=1),
            conv_down,
            [x, w],
        ),
    }


def calls(function: Callable, shapes: list[tuple[int, ...]], dtype: torch.dtype, layout: torch.memory_format):
    """Return calls for the value, the gradient, and the gradient of the squared image gradient, as in R1."""
    torch.manual_seed(0)
    inputs = [torch.randn(shape).requires_grad_() for shape in shapes]
    inputs[0] = inputs[0].detach().to(dtype, memory_format=layout).requires_grad_()

    def forward() -> None:
        with torch.no_grad():
            function(*inputs)

    def first() -> None:
        torch.autograd.grad(function(*inputs).sum(), inputs)

    def second() -> None:
        (slope,) = torch.autograd.grad(function(*inputs).square().sum(), inputs[:1], create_graph=True)
        torch.autograd.grad(slope.square().sum(), inputs)

    return {"value": forward, "first": first, "second": second}


@click.command()
@click.option("--precision", "precisions", multiple=True, type=click.Choice(["fp32", "bf16"]), default=["fp32", "bf16"])
@measured(rounds=5)
def main(precisions: list[str], rounds: int) -> dict:
    results = []
    click.echo(
        f"[{BATCH}, {CHANNELS}, {SIZE}, {SIZE}], ms of the textbook form (fp32), and how many times as fast ours is"
    )
    click.echo("| operation | derivatives | textbook | " + " | ".join(precisions) + " |")
    click.echo("|---" * (3 + len(precisions)) + "|")
    for name, (ours, textbook, shapes) in operations().items():
        forms = {TEXTBOOK: calls(textbook, shapes, torch.float32, torch.contiguous_format)}
        forms |= {p: calls(ours, shapes, DTYPES[p], torch.channels_last) for p in precisions}
        for order in ("value", "first", "second"):
            seconds = take_turns({label: form[order] for label, form in forms.items()}, rounds)
            s = {label: summary(values) for label, values in seconds.items()}
            base = s[TEXTBOOK]["median_s"]
            ratios = " | ".join(f"{base / s[p]['median_s']:.1f}" for p in precisions)
            click.echo(f"| {name} | {order} | {base * 1000:.1f} | {ratios} |")
            results.append({"operation": name, "derivatives": order, "forms": s})
    return {"results": results}


if __name__ == "__main__":
    main()
