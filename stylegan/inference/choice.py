"""The choice of the form that draws a number of images soonest, by times that were measured on this machine.

A form costs preparation + images * seconds per image. Both are measured and kept in the cache folder, for each network
shape, precision, batch and number of threads. What was never measured is assumed to be good, so that it is tried once,
as soon as enough images are asked for to pay for the trial.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from typing import NamedTuple

import torch
from torch import Tensor

from stylegan.errors import ConfigError, OutputError
from stylegan.files.atomic import write_text
from stylegan.files.cache import default_cache
from stylegan.inference.generator import InferenceGenerator
from stylegan.machine.precision import cpu_features
from stylegan.networks.generator import FamilyGenerator

BATCHES = 8  # fewer are drawn uncompiled, without a measurement
ROUNDS = 2  # of a trial; the fastest counts
WORTHWHILE = 0.95  # of the time uncompiled: less gain is noise
KEPT = 500  # networks in the file of measurements
_UNTRIED_RATIO = 0.5  # what a form is assumed to take of the time uncompiled until it was tried
_UNUSABLE = 1e3  # the ratio of a form that failed


class Form(NamedTuple):
    """A way to draw: the arguments of `for_inference` beside the precision."""

    name: str
    compile: bool
    engine: str
    untried_preparation_s: float  # assumed until it was tried


UNCOMPILED = Form("uncompiled", False, "torch", 0.0)
COMPILED = Form("compiled", True, "torch", 60.0)
OPENVINO = Form("with OpenVINO", False, "openvino", 20.0)


@dataclass
class Times:
    """Measurements of a form.

    Attributes:
        ratio: time per image, relative to that of the uncompiled form in the same trial.
        preparation_s: of the last time.
        uses: how often it was prepared. The first time fills the caches of compilers.
    """

    ratio: float
    preparation_s: float
    uses: int = 1

    @property
    def next_preparation_s(self) -> float:
        return self.preparation_s if self.uses > 1 else self.preparation_s / 4


@dataclass
class Speeds:
    """Measurements of a network: seconds per image of the uncompiled form, and the times of others by name."""

    image_s: float
    forms: dict[str, Times] = field(default_factory=dict)


class Choice(NamedTuple):
    """A generator to draw with, and a sentence that says why, empty if no other form was ever measured."""

    G: InferenceGenerator
    form: Form
    reason: str = ""


@torch.no_grad()
def fastest_form(
    G: FamilyGenerator, images: int, *, precision: str = "fp32", batch: int = 8, noise_mode: str = "const"
) -> Choice:
    """Return the inference form of `G` that finishes `images` images soonest.

    In fp32, the images of all forms differ by at most one step of 255. Only a CPU has a choice, because the forms of a
    GPU differ by more. Draws no random numbers.

    Args:
        precision: as in `G.for_inference`.
        batch: images that are drawn at a time.
        noise_mode: of the drawing; "random" leaves out the compiled form, whose compiler draws its own random numbers.
    Raises: ConfigError as `G.for_inference`.
    """
    uncompiled = G.for_inference(precision)
    if next(G.parameters()).device.type != "cpu" or precision == "fp16" or images < BATCHES * batch:
        return Choice(uncompiled, UNCOMPILED)
    key = _key(G, precision, batch)
    ws = torch.zeros(batch, G.num_ws, G.w_dim)
    speeds = _read().get(key) or Speeds(_seconds(uncompiled, ws) / batch)
    ready = {UNCOMPILED: uncompiled}

    def cost(form: Form) -> float:
        if form == UNCOMPILED:
            return images * speeds.image_s
        times = speeds.forms.get(form.name) or Times(_UNTRIED_RATIO, form.untried_preparation_s, uses=2)
        preparation_s = 0.0 if form in ready else times.next_preparation_s
        return preparation_s + images * speeds.image_s * times.ratio / WORTHWHILE

    forms = [
        UNCOMPILED,
        *([COMPILED] if noise_mode != "random" else []),
        *([OPENVINO] if find_spec("openvino") else []),
    ]
    while (best := min(forms, key=cost)) not in ready:
        ready[best] = _tried(G, best, precision, ws, uncompiled, speeds)
    _write(key, speeds)
    return Choice(ready[best], best, _reason(best, speeds))


def _tried(
    G: FamilyGenerator, form: Form, precision: str, ws: Tensor, uncompiled: InferenceGenerator, speeds: Speeds
) -> InferenceGenerator:
    """Prepare a form, and measure it in turn with the uncompiled one; the times are added to `speeds`.

    Returns: the form; the uncompiled one where it fails.
    """
    uses = speeds.forms[form.name].uses + 1 if form.name in speeds.forms else 1
    start = time.perf_counter()
    try:
        G_form = G.for_inference(precision, form.compile, form.engine)
        _seconds(G_form, ws)
    except ConfigError:  # the engine lacks an operation
        speeds.forms[form.name] = Times(_UNUSABLE, time.perf_counter() - start, uses)
        return uncompiled
    preparation_s = time.perf_counter() - start
    rounds = [(_seconds(G_form, ws), _seconds(uncompiled, ws)) for _ in range(ROUNDS)]
    form_s, uncompiled_s = (min(times) for times in zip(*rounds, strict=True))
    speeds.image_s = uncompiled_s / len(ws)
    speeds.forms[form.name] = Times(form_s / uncompiled_s, preparation_s, uses)
    return G_form


def _seconds(G: InferenceGenerator, ws: Tensor) -> float:
    start = time.perf_counter()
    G.synthesis(ws, noise_mode="const")
    return time.perf_counter() - start


def _reason(best: Form, speeds: Speeds) -> str:
    usable = {name: times for name, times in speeds.forms.items() if times.ratio < _UNUSABLE}
    if not usable:
        return ""
    others = [
        f"{_ms(speeds.image_s * times.ratio)} {name} after {times.preparation_s:.0f} s of preparation"
        for name, times in usable.items()
    ]
    return f"Drawing {best.name}: an image takes {_ms(speeds.image_s)} uncompiled, {', '.join(others)}."


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.{0 if seconds >= 0.01 else 1}f} ms"


def _key(G: FamilyGenerator, precision: str, batch: int) -> str:
    """Return a name for what the times depend on: the machine, the versions and the shape of the network."""
    shapes = [tuple(p.shape) for p in G.synthesis.parameters()]
    machine = [platform.node(), os.cpu_count(), sorted(cpu_features()), torch.get_num_threads(), torch.__version__]
    parts = [*machine, type(G).__module__, shapes, precision, batch]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def _read() -> dict[str, Speeds]:
    """Return all measurements in the cache folder; none if the file is missing or damaged."""
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        kept = json.loads((default_cache() / "speeds.json").read_text(encoding="utf-8"))
        return {
            key: Speeds(float(value["image_s"]), {name: _times(**times) for name, times in value["forms"].items()})
            for key, value in kept.items()
        }
    return {}


def _times(ratio: float, preparation_s: float, uses: int) -> Times:
    return Times(float(ratio), float(preparation_s), int(uses))


def _write(key: str, speeds: Speeds) -> None:
    kept = {**{k: v for k, v in _read().items() if k != key}, key: speeds}
    newest = dict(list(kept.items())[-KEPT:])
    with suppress(OutputError):  # measured again the next time
        text = json.dumps({k: asdict(v) for k, v in newest.items()}, indent=1)
        write_text(default_cache() / "speeds.json", text + "\n")
