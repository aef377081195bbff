"""Drawing with OpenVINO: `InferenceSynthesis.draw` as a graph that the engine compiles for this CPU.

The graph takes what `prepare_inputs` returns and the noise of each layer, so one graph serves every batch size, noise
mode and truncation, and random noise is that of PyTorch. It is exported once and then kept in the cache folder.
"""

from __future__ import annotations

import hashlib
import os
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from stylegan.errors import ConfigError, MissingExtra, OutputError
from stylegan.files.atomic import atomic_folder
from stylegan.files.cache import default_cache, remove_longest_unused
from stylegan.files.checksums import mismatch, write_checksums
from stylegan.files.digest import digest
from stylegan.networks.generator import NoiseMode, random_noise

MAX_BYTES = 4 * 10**9  # of all graphs in the cache folder
_HINTS = {"auto": "f32", "fp32": "f32", "bf16": "bf16"}  # the engine's own default is bf16 where the CPU has it
_FILE = "model.xml"  # with the weights beside it


def require_openvino() -> Any:
    """Return the module `openvino`. Raises: MissingExtra."""
    try:
        return import_module("openvino")
    except ImportError as error:
        raise MissingExtra(
            "the engine openvino needs OpenVINO. Install it with: pip install 'stylegan[openvino]'"
        ) from error


def check_engine_precision(precision: str) -> None:
    """Raises: ConfigError for a precision in which OpenVINO does not draw."""
    if precision not in _HINTS:
        raise ConfigError(
            f"the engine openvino draws in fp32 or bf16, got {precision!r}; set `precision` to one of these."
        )


class OpenVINODraw:
    """A function that draws as `InferenceSynthesis.draw` of a form in float32; the first call prepares the graph.

    A copy, or one read from a pickle, prepares its own.

    Args:
        precision: "fp32", "auto", which means the same, or "bf16".
        settings: text that, with the class and the weights of the synthesis network, determines the graph.
    """

    def __init__(self, precision: str, settings: str):
        self.precision, self.settings = precision, settings
        self._request: Any = None
        self._lock = threading.Lock()  # a request draws one batch at a time

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.precision, self.settings)

    def __call__(self, synthesis: Any, *inputs: Any, noise_mode: str) -> Tensor:
        tensors = input_tensors(inputs)
        n, device = tensors[0].shape[0], tensors[0].device
        noise = [_noise(const, n, noise_mode) for const in noise_constants(synthesis)]
        arrays = [t.float().cpu().contiguous().numpy() for t in (*tensors, *noise)]
        with self._lock:
            if self._request is None:
                self._request = self._prepared(synthesis, inputs)
            (image,) = self._request.infer(dict(enumerate(arrays)), share_inputs=True).values()
        return torch.from_numpy(image).to(device)

    def _prepared(self, synthesis: Any, inputs: tuple[Any, ...]) -> Any:
        """Return a request of the compiled graph."""
        core = require_openvino().Core()
        model = _cached(_key(synthesis, self.settings), core, lambda: _exported(synthesis, inputs))
        options = {
            "INFERENCE_PRECISION_HINT": _HINTS[self.precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",  # all threads for one batch
        }
        return core.compile_model(model, "CPU", options).create_infer_request()


def input_tensors(inputs: Any) -> list[Tensor]:
    """Return the tensors of nested inputs, in the order in which the graph takes them."""
    return [leaf for leaf in tree_leaves(inputs) if isinstance(leaf, Tensor)]


def noise_constants(synthesis: nn.Module) -> list[Tensor]:
    """Return the constant noise [..., H, W] of each layer, in the order of drawing."""
    return [const for name, const in synthesis.named_buffers() if "noise_const" in name]


def _noise(const: Tensor, n: int, noise_mode: str) -> Tensor:
    """Return the noise of a layer for n images, [n, 1, H, W]; zeros in the mode "none"."""
    shape = [n, 1, *const.shape[-2:]]
    if noise_mode == "random":
        return random_noise(shape, const)
    return const.expand(shape) if noise_mode == "const" else const.new_zeros(shape)


class _Graph(nn.Module):
    """Maps inputs and noise to images; this is what is exported."""

    def __init__(self, synthesis: Any):
        super().__init__()
        self.synthesis = synthesis

    def forward(self, inputs: tuple[Any, ...], noise: list[Tensor]) -> Tensor:
        given = iter(noise)
        take: NoiseMode = lambda const: next(given)  # noqa: E731
        return self.synthesis.draw(*inputs, noise_mode=take)


def _exported(synthesis: Any, inputs: tuple[Any, ...]) -> Any:
    """Return the graph of any batch size. Raises: ConfigError if OpenVINO lacks an operation."""
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of both libraries, about their own deprecated parts
            return require_openvino().convert_model(exported_program(synthesis, inputs))
    except Exception as error:  # whatever either library runs into
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ConfigError(f"OpenVINO cannot draw this network ({reason}); set `engine` to torch.") from error


def exported_program(synthesis: Any, inputs: tuple[Any, ...]) -> torch.export.ExportedProgram:
    """Return what OpenVINO converts: (inputs, noise of each layer) to images, for any batch size, in float32.

    Args:
        synthesis: an `InferenceSynthesis` prepared for fp32 and not compiled.
        inputs: what its `prepare_inputs` returned for at least one image.
    """

    def two(t: Any) -> Any:  # export takes sizes of 0 and 1 for constants
        return t[:1].float().cpu().repeat(2, *[1] * (t.ndim - 1)) if isinstance(t, Tensor) else t

    example = (tree_map(two, inputs), [_noise(const, 2, "none").cpu() for const in noise_constants(synthesis)])
    batch = torch.export.Dim("batch", min=1, max=1 << 20)
    shapes = tree_map(lambda t: {0: batch} if isinstance(t, Tensor) else None, example)
    return torch.export.export(_Graph(synthesis), example, dynamic_shapes=shapes, strict=False)


def _key(synthesis: nn.Module, settings: str) -> str:
    """Return a name for the graph: a hash of the weights and of everything else that determines it."""
    tensors = dict(chain(synthesis.named_parameters(), synthesis.named_buffers()))
    shapes = [(name, list(t.shape)) for name, t in tensors.items()]
    parts = [type(synthesis).__name__, settings, str(shapes), digest(tensors.values())]
    versions = [torch.__version__, require_openvino().__version__]
    return hashlib.sha256("\n".join(parts + versions).encode()).hexdigest()[:32]


def _cached(key: str, core: Any, export: Callable[[], Any]) -> Any:
    """Return the graph in the cache folder; where it is missing or damaged, export it and write it there."""
    folder = default_cache() / "openvino" / key
    if mismatch(folder) is None:
        with suppress(OSError):  # another user's cache may be read-only
            os.utime(folder)
        return core.read_model(folder / _FILE)
    model = export()
    try:
        with atomic_folder(folder) as temporary:
            _save(model, temporary)
        remove_longest_unused(folder.parent, MAX_BYTES)
    except (OutputError, RuntimeError) as error:  # RuntimeError: OpenVINO's own for a full disk
        warnings.warn(f"the network is not kept for OpenVINO: {error}", RuntimeWarning, stacklevel=2)
    return model


def _save(model: Any, folder: Path) -> None:
    require_openvino().save_model(model, folder / _FILE, compress_to_fp16=False)
    write_checksums(folder)
