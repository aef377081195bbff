"""Checkpoints of NVIDIA's PyTorch code: the .pkl files of StyleGAN2-ADA and StyleGAN3, and their state dicts.

A network in such a file is a record: the name of its class, the arguments of its constructor, and its tensors, which
have the names of this library. The source code beside them is never read.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stylegan.checkpoints import official_names
from stylegan.checkpoints.checkpoint import Checkpoint
from stylegan.checkpoints.official_names import MIXED_PRECISION, is_alias_free
from stylegan.checkpoints.pickle_vm import Record
from stylegan.checkpoints.rebuild import empty, fill
from stylegan.checkpoints.substitutes import missing_filters, missing_noise
from stylegan.errors import CheckpointError
from stylegan.networks import stylegan2, stylegan3
from stylegan.networks.discriminator import FamilyDiscriminator
from stylegan.networks.generator import FamilyGenerator
from stylegan.networks.settings import OneOf, Settings, shown

LICENCE = "NVIDIA Source Code License (non-commercial)"
NETWORKS = ("G_ema", "G", "D")
RELATIVES = {  # classes in files of the same format -> what they belong to
    "SuperresGenerator": "StyleGAN-XL",
    "TriPlaneGenerator": "EG3D, which draws 3D scenes",
    "training.networks.Generator": "R3GAN",
}
_MOST_MODULES = 10_000  # in a network, with those within others
_POSITIONS = {
    "Generator": ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels"),
    "Discriminator": ("c_dim", "img_resolution", "img_channels"),
}
# Arguments of the parts of a network -> settings of this library. None: it changes nothing that is drawn.
_MAPPING: dict[str, str | None] = {
    "num_layers": "mapping_layers",
    "embed_features": "embed_features",
    "layer_features": "layer_features",
    "lr_multiplier": "lr_multiplier",
    "w_avg_beta": "w_avg_beta",
    "freeze_layers": None,
    "freeze_embed": None,
}
_LABEL_MAPPING: dict[str, str | None] = {
    "num_layers": "mapping_layers",
    "lr_multiplier": "lr_multiplier",
    "embed_features": None,  # widths that differ from cmap_dim show in the shapes
    "layer_features": None,
    "w_avg_beta": None,
}
_UNUSED = ("fp16_channels_last", "fused_modconv_default", "init_res", "use_fp16", "verbose")


def read(content: Mapping[str, Any], *, to_draw: bool = False) -> Checkpoint:
    """Return the networks of an unpickled file: a dict with records, modules or state dicts as G, D and G_ema.

    Args:
        to_draw: read the generator to draw with alone.
    Raises: CheckpointError for networks of a relative, and for those whose tensors do not fit their arguments.
    """
    found = {name: content[name] for name in NETWORKS if content.get(name) is not None}
    if "progress" in content:
        raise CheckpointError(_relative("StyleGAN-XL"))
    if to_draw and (generators := [name for name in NETWORKS[:2] if name in found]):
        found = {generators[0]: found[generators[0]]}
    modules = {name: Module(value) for name, value in found.items()}
    nested = any("synthesis_kwargs" in module.arguments for module in modules.values())
    ada = nested or (not {"G", "G_ema"} & set(found) and next(iter(content)) == "training_set_kwargs")
    networks: dict[str, Any] = {}
    for name, module in modules.items():
        if name != "D":
            networks[name] = generator(module, ada=ada)
        elif module.tensors and module.class_name in (None, "Discriminator"):
            networks[name] = discriminator(module, ada=ada)
        else:
            warnings.warn(
                f"the discriminator of the file is left out: it is a {module.class_name}, not one of StyleGAN2.",
                RuntimeWarning,
                stacklevel=2,
            )
    pipe = content.get("augment_pipe")
    p = Module(pipe).tensors.get("p") if pipe is not None else None
    origin = "StyleGAN2-ADA-PyTorch" if ada else "StyleGAN3"
    return Checkpoint(
        **networks,
        augment_p=float(p) if p is not None and p.numel() == 1 else 0.0,
        origin=f"a file of NVIDIA's {origin}",
        licence=LICENCE,
    )


def read_module(content: Any, *, to_draw: bool = False) -> Checkpoint:
    """Return the one network that a file holds, as a record or as a state dict. Raises: CheckpointError as `read`."""
    module = Module(content)
    is_generator = official_names.is_generator(module.tensors) or module.class_name == "Generator"
    return read({"G_ema" if is_generator else "D": content}, to_draw=to_draw)


class Module:
    """A network or layer as a file describes it: the name of its class, constructor arguments, and tensors.

    Raises: CheckpointError if `value` is neither a record of a module nor a state dict.
    """

    def __init__(self, value: Any):
        self.class_name: str | None = None
        self.arguments: dict[str, Any] = {}
        self.tensors: dict[str, Tensor] = {}
        self.classes: set[str] = set()  # of the modules in it
        if isinstance(value, Record):
            self.class_name, state = class_and_state(value)
            names = _POSITIONS.get(self.class_name, ())
            positional, words = state.get("_init_args", ()), state.get("_init_kwargs", {})
            if isinstance(positional, list | tuple) and isinstance(words, dict):
                self.arguments = {**dict(zip(names, map(_plain, positional), strict=False)), **_plain(words)}
            self.tensors, self.classes = _tensors_and_classes(value)
        elif is_state_dict(value):
            self.tensors = plain_names(value)
        else:
            raise CheckpointError(f"holds a {type(value).__name__} where a network is expected")


def is_state_dict(value: Any) -> bool:
    """Return whether a value is a dict from names to tensors, with at least one."""
    return (
        isinstance(value, dict)
        and len(value) > 0
        and all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items())
    )


def plain_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors by their names, without the "module." that DataParallel puts before each."""
    prefix = "module." if all(name.startswith("module.") for name in tensors) else ""
    return {name.removeprefix(prefix): value for name, value in tensors.items()}


def class_and_state(record: Record) -> tuple[str, dict[str, Any]]:
    """Return the name of a module's class, as the record gives it, and its attributes."""
    if record.args and isinstance(record.args[0], dict) and "class_name" in record.args[0]:
        name, state = record.args[0]["class_name"], record.args[0].get("state")
    else:
        name, state = record.name, record.state
    return str(name)[:100], state if isinstance(state, dict) else {}


def generator(module: Module, *, ada: bool) -> FamilyGenerator:
    """Return a generator of StyleGAN2 or 3. `ada`: omitted arguments have the defaults of StyleGAN2-ADA-PyTorch.

    Raises: CheckpointError as `read`.
    """
    if module.class_name not in (None, "Generator"):
        raise CheckpointError(_relative(module.class_name))
    if "torch.nn.modules.sparse.Embedding" in module.classes:  # of the classes of ImageNet
        raise CheckpointError(_relative("StyleGAN-XL"))
    if not official_names.is_generator(module.tensors):
        raise CheckpointError("holds a generator whose tensors are not named like those of StyleGAN2 or StyleGAN3")
    alias_free = is_alias_free(module.tensors)
    settings = _generator_settings(module, alias_free, ada)
    network: FamilyGenerator
    if alias_free:
        network = _misfit("generator", stylegan3.Generator, settings)
    else:
        network = _misfit("generator", stylegan2.Generator, settings)
    return _filled("generator", network, module.tensors)


def discriminator(module: Module, *, ada: bool) -> FamilyDiscriminator:
    """Return a discriminator of StyleGAN2, which StyleGAN3 shares. Raises: CheckpointError as `read`."""
    if not official_names.is_discriminator(module.tensors):
        raise CheckpointError("holds a discriminator whose tensors are not named like those of StyleGAN2")
    arguments = dict(module.arguments)
    _require_square(arguments)
    parts = {
        **_part(arguments, "block_kwargs", {"freeze_layers": "freeze_layers"}),
        **_part(arguments, "epilogue_kwargs", {name: name for name in ("mbstd_group_size", "mbstd_num_channels")}),
        **_part(arguments, "mapping_kwargs", _LABEL_MAPPING),
    }
    settings = {**_precision(ada), **arguments, **parts}
    if "mapping.embed.weight" in module.tensors:  # converted networks may have no layers, whatever the default
        settings = {"mapping_layers": official_names.Shapes(module.tensors).layers(), **settings}
    else:
        arguments.pop("cmap_dim", None)
        settings.pop("cmap_dim", None)
    if "img_resolution" not in arguments:
        settings = official_names.stylegan2_discriminator(module.tensors) | arguments | parts
    known = _known(settings, stylegan2.DiscriminatorSettings)
    return _filled("discriminator", _misfit("discriminator", stylegan2.Discriminator, known), module.tensors)


def _generator_settings(module: Module, alias_free: bool, ada: bool) -> dict[str, Any]:
    arguments = dict(module.arguments)
    synthesis = arguments.pop("synthesis_kwargs", {})
    arguments |= synthesis if isinstance(synthesis, dict) else {}
    _require_square(arguments)
    mapping = _part(arguments, "mapping_kwargs", _MAPPING)
    if mapping.get("w_avg_beta", 0) is None:
        mapping["w_avg_beta"] = 1.0  # no running average: it stays where it is
    if alias_free:
        given = {**arguments, **mapping}
        if "img_resolution" not in arguments:
            given = official_names.stylegan3_generator(module.tensors) | given
        return _known(given, stylegan3.GeneratorSettings)
    given = {**_precision(ada), "w_avg_beta": 0.995 if ada else 0.998, **arguments, **mapping}
    if "img_resolution" not in arguments:
        given = official_names.stylegan2_generator(module.tensors) | arguments | mapping
    return _known(given, stylegan2.GeneratorSettings)


def _precision(ada: bool) -> dict[str, Any]:
    """Return the defaults of both classes of StyleGAN2 in the two repositories."""
    return {} if ada else dict(MIXED_PRECISION)


def _part(arguments: dict[str, Any], key: str, names: Mapping[str, str | None]) -> dict[str, Any]:
    """Take the arguments of a part of a network from `arguments`; return them as settings.

    Raises: CheckpointError for another non-linearity than leaky ReLU, which this library has in all layers alone.
    """
    part = arguments.pop(key, {})
    if not isinstance(part, dict):
        raise CheckpointError(f"holds a network whose {key} are {shown(part)}, a dict is expected")
    if not OneOf(("lrelu",)).admits(activation := part.get("activation", "lrelu")):
        raise CheckpointError(f"holds a network whose {key} ask for the activation {shown(activation)}")
    known = {setting: part[name] for name, setting in names.items() if setting is not None and name in part}
    unknown = {name: value for name, value in part.items() if name not in names and name != "activation"}
    return {**unknown, **known}


def _known(settings: Mapping[str, Any], known: type[Settings]) -> dict[str, Any]:
    """Return the settings that a network has; warn about others, which only a fork can know."""
    names = {field.name for field in fields(known)}
    if others := [str(name)[:50] for name in settings if name not in names and name not in _UNUSED]:
        warnings.warn(
            f"the file has arguments that this library does not know, and ignores: {', '.join(sorted(others)[:10])}; "
            "images may differ.",
            RuntimeWarning,
            stacklevel=2,
        )
    return {name: value for name, value in settings.items() if name in names}


def _require_square(arguments: Mapping[str, Any]) -> None:
    """Raises: CheckpointError for a network of a fork that draws images that are not square."""
    shape = arguments.get("init_res", [4, 4])
    if not isinstance(shape, list | tuple) or [n for n in shape if type(n) is int] != [4, 4]:
        raise CheckpointError(
            f"holds a network of a fork that draws images that are not square, from {shown(shape)} pixels on; "
            "this library draws square images"
        )


def _relative(name: str | None) -> str:
    return (
        f"holds a network of {RELATIVES.get(str(name), str(name))}, which is a relative of StyleGAN that this library "
        "does not have"
    )


def _misfit(what: str, network_class: Any, settings: Mapping[str, Any]) -> Any:
    try:
        return empty(network_class, settings)
    except CheckpointError as error:
        raise CheckpointError(f"holds a {what} with settings that cannot be: {error}") from error


def _filled(what: str, network: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Return a network with its tensors, and with substitutes for buffers that people leave out of state dicts."""
    own = {name: value for name, value in network.state_dict().items() if name not in tensors}
    if hasattr(network.settings, "resample_filter"):
        taps = {"resample_filter": network.settings.resample_filter}
        substitutes = missing_filters(network, tensors, taps)
        if isinstance(network, FamilyGenerator):
            substitutes |= missing_noise(network, tensors)
    else:
        substitutes = {}
    if "mapping.w_avg" in own:
        substitutes["mapping.w_avg"] = torch.zeros(own["mapping.w_avg"].shape)
    try:
        return fill(network, {**tensors, **substitutes})
    except CheckpointError as error:
        raise CheckpointError(f"holds a {what} that does not fit its arguments: {error}") from error


def _plain(value: Any, depth: int = 0) -> Any:
    """Return a value with Python numbers in place of those of numpy, also within small dicts."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and 0 < value.size <= 64:  # an empty one may have 2**40 rows
        return value.tolist()
    if isinstance(value, dict) and depth < 2 and len(value) <= 100:
        return {str(name): _plain(v, depth + 1) for name, v in value.items()}
    return value


def _tensors_and_classes(module: Record) -> tuple[dict[str, Tensor], set[str]]:
    """Return the parameters and buffers of a module and all below it, by dotted names, and the classes of these.

    Raises: CheckpointError for modules that contain themselves.
    """
    found: dict[str, Tensor] = {}
    classes: set[str] = set()
    waiting, visited = [("", module)], 0
    while waiting:
        prefix, record = waiting.pop()
        visited += 1
        if visited > _MOST_MODULES or len(prefix) > 1000:
            raise CheckpointError("holds modules within modules without end")
        name, state = class_and_state(record)
        classes.add(name)
        for kind in ("_parameters", "_buffers", "_modules"):
            values = state.get(kind)
            for name, value in values.items() if isinstance(values, dict) else ():
                if isinstance(value, Tensor) and kind != "_modules":
                    found[f"{prefix}{name}"] = value
                elif isinstance(value, Record) and kind == "_modules":
                    waiting.append((f"{prefix}{name}.", value))
    return found, classes
