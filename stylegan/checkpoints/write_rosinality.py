"""StyleGAN2 in the names of rosinality's stylegan2-pytorch."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from stylegan.checkpoints.checkpoint import Checkpoint
from stylegan.checkpoints.portable import Portable, Renaming, renamed
from stylegan.errors import CheckpointError
from stylegan.networks.discriminator import FamilyDiscriminator
from stylegan.networks.stylegan2 import DiscriminatorSettings, GeneratorSettings

_UNUSED = {"resample_filter": "the filter of a layer that does not resample", "w_avg": "stored as latent_avg"}
_PLACES = ("weight", "bias")


def to_rosinality(checkpoint: Checkpoint) -> Portable:
    """Return the networks as rosinality's tools read them: g_ema, and g and d if present.

    A discriminator that these tools cannot build is left out.

    Raises: CheckpointError for a generator that they cannot build; the message names the first setting.
    """
    G_ema = checkpoint.G_ema or checkpoint.G
    if G_ema is None:
        raise CheckpointError("a file for rosinality's tools needs a generator, got a discriminator alone.")
    settings = G_ema.settings
    if (reason := _unlike(settings, _required(settings))) is not None:
        raise CheckpointError(f"rosinality's tools cannot build this generator: {reason}; write another kind.")
    networks, accounts, left_out = {}, {}, {}
    for name, theirs, G in (("G_ema", "g_ema", G_ema), ("G", "g", checkpoint.G)):
        if G is not None:
            networks[theirs], accounts[name] = renamed(G, generator_table(G.settings), _UNUSED)
    if checkpoint.D is not None:
        reason = _unlike_discriminator(checkpoint.D)
        if reason is None:
            networks["d"], accounts["D"] = renamed(checkpoint.D, discriminator_table(checkpoint.D.settings), _UNUSED)
        else:
            left_out["D"] = f"rosinality's tools cannot build it: {reason}"
    for name in ("conv_clamp", "num_fp16_res"):
        if value := getattr(settings, name):
            left_out[name] = f"{value}; rosinality's networks have no such limit and compute in float32"
    if _multiplier(settings) is None:
        left_out["widths"] = "rosinality's own classes have other widths (channel_multiplier 1 or 2)"
    others = {"latent_avg": G_ema.mapping.w_avg, "ada_aug_p": float(checkpoint.augment_p)}
    return Portable(networks=networks, others=others, accounts=accounts, left_out=left_out)


def generator_table(settings: GeneratorSettings) -> Iterator[Renaming]:
    """Yield a row for each tensor of a generator that the other names have too."""
    for i in range(settings.mapping_layers):
        yield from (Renaming(f"mapping.fc{i}.{part}", f"style.{i + 1}.{part}") for part in _PLACES)
    yield Renaming("synthesis.b4.const", "input.input", _leading)
    yield from _layer("synthesis.b4.conv1", "conv1", noise=0)
    yield from _to_rgb("synthesis.b4.torgb", "to_rgb1")
    for k, r in enumerate(settings.resolutions[1:]):
        block = f"synthesis.b{r}"
        yield from _layer(f"{block}.conv0", f"convs.{2 * k}", noise=2 * k + 1)
        yield Renaming(f"{block}.conv0.resample_filter", f"convs.{2 * k}.conv.blur.kernel", _gain_4)
        yield from _layer(f"{block}.conv1", f"convs.{2 * k + 1}", noise=2 * k + 2)
        yield from _to_rgb(f"{block}.torgb", f"to_rgbs.{k}")
        yield Renaming(f"{block}.resample_filter", f"to_rgbs.{k}.upsample.kernel", _gain_4)


def discriminator_table(settings: DiscriminatorSettings) -> Iterator[Renaming]:
    """Yield a row for each tensor of a discriminator that the other names have too."""
    resolutions = settings.resolutions[:0:-1]
    yield Renaming(f"b{resolutions[0]}.fromrgb.weight", "convs.0.0.weight")
    yield Renaming(f"b{resolutions[0]}.fromrgb.bias", "convs.0.1.bias")
    for j, r in enumerate(resolutions, start=1):
        ours, theirs = f"b{r}", f"convs.{j}"
        yield Renaming(f"{ours}.conv0.weight", f"{theirs}.conv1.0.weight")
        yield Renaming(f"{ours}.conv0.bias", f"{theirs}.conv1.1.bias")
        yield Renaming(f"{ours}.conv1.resample_filter", f"{theirs}.conv2.0.kernel")
        yield Renaming(f"{ours}.conv1.weight", f"{theirs}.conv2.1.weight")
        yield Renaming(f"{ours}.conv1.bias", f"{theirs}.conv2.2.bias")
        yield Renaming(f"{ours}.skip.resample_filter", f"{theirs}.skip.0.kernel")
        yield Renaming(f"{ours}.skip.weight", f"{theirs}.skip.1.weight")
    yield Renaming("b4.conv.weight", "final_conv.0.weight")
    yield Renaming("b4.conv.bias", "final_conv.1.bias")
    for i, layer in enumerate(("fc", "out")):
        yield from (Renaming(f"b4.{layer}.{part}", f"final_linear.{i}.{part}") for part in _PLACES)


def _layer(ours: str, theirs: str, noise: int) -> Iterator[Renaming]:
    """Yield the rows of a convolution with styles and noise; `noise` numbers its constant noise."""
    yield Renaming(f"{ours}.weight", f"{theirs}.conv.weight", _leading)
    yield from _affine(ours, theirs)
    yield Renaming(f"{ours}.noise_strength", f"{theirs}.noise.weight", _leading)
    yield Renaming(f"{ours}.noise_const", f"noises.noise_{noise}", lambda x: x[None, None])
    yield Renaming(f"{ours}.bias", f"{theirs}.activate.bias")


def _to_rgb(ours: str, theirs: str) -> Iterator[Renaming]:
    yield Renaming(f"{ours}.weight", f"{theirs}.conv.weight", _leading)
    yield from _affine(ours, theirs)
    yield Renaming(f"{ours}.bias", f"{theirs}.bias", lambda x: x[None, :, None, None])


def _affine(ours: str, theirs: str) -> Iterator[Renaming]:
    for part in _PLACES:
        yield Renaming(f"{ours}.affine.{part}", f"{theirs}.conv.modulation.{part}")


def _leading(x: Tensor) -> Tensor:
    return x[None]


def _gain_4(f: Tensor) -> Tensor:
    """Return the taps of a filter that enlarges, which rosinality stores with the gain of zero insertion."""
    return f * 4


def _required(settings: object) -> dict[str, object]:
    """Return the settings of a generator that rosinality's classes fix."""
    width = getattr(settings, "w_dim", None)
    return {
        "architecture": "skip",
        "c_dim": 0,
        "img_channels": 3,
        "z_dim": width,
        "lr_multiplier": 0.01,
        "activation": "lrelu",
        "use_noise": True,
    }


def _unlike(settings: object, required: dict[str, object]) -> str | None:
    """Return how settings of a generator differ from those that are required; None if they do not."""
    if not isinstance(settings, GeneratorSettings):
        return "it is not a StyleGAN2"
    if settings.layer_features not in (None, settings.w_dim):
        return f"layer_features is {settings.layer_features}, expected {settings.w_dim}"
    return _first_difference(settings, required)


def _unlike_discriminator(D: FamilyDiscriminator) -> str | None:
    """Return why rosinality's class cannot hold a discriminator; None if it can."""
    if not isinstance(D.settings, DiscriminatorSettings):
        return "it is not that of StyleGAN2"
    required = {
        "architecture": "resnet",
        "c_dim": 0,
        "img_channels": 3,
        "mbstd_num_channels": 1,
        "mbstd_group_size": 4,
        "activation": "lrelu",
    }
    return _first_difference(D.settings, required)


def _first_difference(settings: object, required: dict[str, object]) -> str | None:
    for name, value in required.items():
        if (found := getattr(settings, name)) != value:
            return f"{name} is {found}, expected {value}"
    return None


def _multiplier(settings: GeneratorSettings) -> int | None:
    """Return the channel_multiplier of rosinality's classes that gives these widths; None if there is none."""
    sizes = settings.resolutions
    for multiplier in (1, 2):
        widths = [min(512, 16384 * multiplier // r) for r in sizes]
        if widths == [settings.channels(r) for r in sizes]:
            return multiplier
    return None
