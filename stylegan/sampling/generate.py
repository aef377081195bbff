"""Seeds, or latents, to images: all of them as one tensor, or as a stream drawn in batches."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count, islice
from typing import cast

import torch
from torch import Tensor, nn

from stylegan.errors import ConfigError, NonFiniteError
from stylegan.images.pixels import to_uint8
from stylegan.inference.choice import BATCHES, UNCOMPILED, fastest_form
from stylegan.machine.memory import memory_enough_for
from stylegan.machine.surroundings import in_ordinary_torch, ordinary_torch
from stylegan.networks.generator import FamilyGenerator
from stylegan.networks.protocol import GeneratorLike, device_of
from stylegan.sampling.labels import Label, class_labels
from stylegan.sampling.latent import Latent, check_space, synthesize
from stylegan.sampling.latents import latents, seed_list

NAMED = 8  # images that a warning names at most


@ordinary_torch(gradients=False)
def generate(
    G: GeneratorLike,
    seeds: Sequence[int | Latent] | str,
    *,
    psi: float = 0.7,
    label: Label | None = None,
    cutoff: int | None = None,
    noise_mode: str = "const",
    batch: int = 16,
) -> Tensor:
    """Return one image per seed, drawn at a good compromise of quality and variety.

    For many seeds, a network on a CPU draws in the form that finishes soonest (`fastest_form`), which changes pixels by
    at most one step of 255. What `G.for_inference()` returns draws as it is.

    Args: as in `generate_images`, which draws more images than fit into memory.
    Returns: [N, C, H, W] uint8 on the CPU, in the order of the N seeds.
    Raises: ConfigError for no seed, or for an invalid seed, label, noise mode or batch; NonFiniteError as in `draw`.
    """
    G = _in_fastest_form(G, seeds := checked_seeds(seeds), noise_mode, batch)
    images = list(generate_images(G, seeds, label=label, psi=psi, cutoff=cutoff, noise_mode=noise_mode, batch=batch))
    if not images:
        raise ConfigError("drawing needs at least one seed, got none.")
    return torch.stack(images)


def _in_fastest_form(G: GeneratorLike, seeds: Sequence[int | Latent], noise_mode: str, batch: int) -> GeneratorLike:
    """Return `G` itself, unless another form in float32 draws these seeds faster."""
    few = len(seeds) < BATCHES * batch or any(isinstance(seed, Latent) for seed in seeds)
    if few or not isinstance(G, FamilyGenerator) or G.precision not in ("auto", "fp32"):
        return G
    try:
        choice = fastest_form(G, len(seeds), batch=batch, noise_mode=noise_mode)
    except ConfigError:  # a network without a form for inference
        return G
    return G if choice.form == UNCOMPILED else cast(GeneratorLike, choice.G)


def generate_images(
    G: GeneratorLike,
    seeds: Sequence[int | Latent] | str,
    *,
    label: Label | None = None,
    psi: float = 1.0,
    cutoff: int | None = None,
    noise_mode: str = "const",
    batch: int = 16,
) -> Iterator[Tensor]:
    """Draw one image per seed, with at most `batch` of them in memory.

    Args:
        seeds: whole numbers, or a text such as "0-3,7". A `Latent` can take the place of a number; what follows about
            labels and truncation does not concern it.
        label: class or label vector, see `label_vector`; required for a network with labels, None for one without.
        psi: truncation; 1 gives the full variety, 0 the average image, and negative values the opposite of the seed.
        cutoff: number of layers to truncate, from the first on; None for all.
        noise_mode: "const", "random" or "none".
        batch: images drawn at a time. It affects speed and memory, and pixels by at most one step of 255.
    Yields: [C, H, W] uint8 on the CPU, in the order of the seeds.
    Raises: ConfigError for an invalid seed, label, noise mode or batch; NonFiniteError as in `draw`.
    """
    seeds = checked_seeds(seeds)
    parts = (to_latents(G, part, label=label, psi=psi, cutoff=cutoff) for part in batched(seeds, batch))
    names = (f"latent {k}" if isinstance(seed, Latent) else f"seed {seed}" for k, seed in enumerate(seeds))
    yield from draw(G, chain.from_iterable(parts), noise_mode=noise_mode, batch=batch, names=names)


def checked_seeds(seeds: Sequence[int | Latent] | str) -> Sequence[int | Latent]:
    """Return seeds as a sequence, whose numbers are checked. Raises: ConfigError as `seed_list`."""
    if isinstance(seeds, list | tuple) and any(isinstance(seed, Latent) for seed in seeds):
        return [seed if isinstance(seed, Latent) else seed_list([seed])[0] for seed in seeds]
    return seed_list(seeds)


def to_latents(
    G: GeneratorLike,
    seeds: Sequence[int | Latent] | str,
    *,
    label: Label | None = None,
    psi: float = 1.0,
    cutoff: int | None = None,
) -> list[Latent]:
    """Return the latents of seeds, on the network's device; those that are latents already stay as they are.

    Args: as in `generate_images`.
    Raises: ConfigError for a latent of another network, and as `seeds_to_ws`.
    """
    seeds = checked_seeds(seeds)
    numbers = [seed for seed in seeds if not isinstance(seed, Latent)]
    ws = iter(seeds_to_ws(G, numbers, label=label, psi=psi, cutoff=cutoff) if numbers else ())
    for seed in seeds:
        if isinstance(seed, Latent):
            check_space(seed, G)
    return [seed if isinstance(seed, Latent) else Latent(ws=next(ws)) for seed in seeds]


def seeds_to_ws(
    G: GeneratorLike,
    seeds: Sequence[int] | str,
    *,
    label: Label | None = None,
    psi: float = 1.0,
    cutoff: int | None = None,
) -> Tensor:
    """Return the ws of N seeds, [N, num_ws, w_dim] on the network's device. Arguments as in `generate_images`."""
    z = latents(seeds, G.z_dim)
    return map_latents(G, z, class_labels(G, label, len(z)), psi=psi, cutoff=cutoff)


@ordinary_torch(gradients=False)
def map_latents(G: GeneratorLike, z: Tensor, c: Tensor | None, *, psi: float, cutoff: int | None) -> Tensor:
    """Map z [N, z_dim] and c [N, c_dim] or None to ws [N, num_ws, w_dim] on the network's device."""
    device = device_of(G)
    return G.mapping(z.to(device), None if c is None else c.to(device), truncation_psi=psi, truncation_cutoff=cutoff)


def draw(
    G: GeneratorLike,
    latents: Iterable[Latent | Tensor],
    *,
    noise_mode: str = "const",
    batch: int = 16,
    names: Iterable[str] | None = None,
) -> Iterator[Tensor]:
    """Yield one image [C, H, W] uint8 on the CPU for each latent of a stream, or its ws [num_ws, w_dim].

    Latents with offsets or noise of their own need a network that is not prepared for inference and are drawn one by
    one; their noise holds in the mode "const". At most `batch` images are in memory at a time, so the stream can have
    any length. A warning at its end names the images that show a single color, which a trained network hardly ever
    draws.

    Args:
        names: of the images in messages; None counts them.
    Raises: NonFiniteError for a network, or an image, that holds NaN or infinity.
    """
    return in_ordinary_torch(_draw(G, latents, noise_mode, batch, names), gradients=False)


def _draw(
    G: GeneratorLike,
    latents: Iterable[Latent | Tensor],
    noise_mode: str,
    batch: int,
    names: Iterable[str] | None,
) -> Iterator[Tensor]:
    name = iter(names) if names is not None else (f"image {k}" for k in count())
    uniform: list[str] = []
    require_finite(G)
    try:
        for part in batched(latents, batch):
            labels = list(islice(name, len(part)))
            with memory_enough_for(f"drawing {len(part)} images at a time", "use a smaller `batch`"):
                images = draw_batch(G, part, noise_mode=noise_mode, names=labels)
            one_color = (images.amax((2, 3)) == images.amin((2, 3))).all(1).tolist()
            uniform += [label for label, same in zip(labels, one_color, strict=True) if same]
            yield from images
    finally:
        if uniform:
            named = ", ".join(uniform[:NAMED]) + (", ..." if len(uniform) > NAMED else "")
            number = "1 image shows" if len(uniform) == 1 else f"{len(uniform)} images show"
            warnings.warn(f"{number} a single color ({named}); check the network.", RuntimeWarning, stacklevel=2)


@ordinary_torch(gradients=False)
def draw_batch(
    G: GeneratorLike, part: Sequence[Latent | Tensor], *, noise_mode: str = "const", names: Sequence[str] | None = None
) -> Tensor:
    """Return the images of one batch of latents or ws, [N, C, H, W] uint8 on the CPU, of a network known to be finite.

    For programs that draw often; `draw` also checks the network (`require_finite`) and warns of suspicious images.
    Args and raises: as `draw`.
    """
    img = _synthesized(G, part, noise_mode)
    if not bool((finite := img.isfinite().flatten(1).all(1)).all()):
        k = finite.tolist().index(False)
        raise NonFiniteError(
            f"the image of {names[k] if names else f'image {k}'} holds NaN or infinity, which the network does not; "
            "draw with `precision` fp32, and with a psi near 1."
        )
    return to_uint8(img).cpu()


def _synthesized(G: GeneratorLike, part: Sequence[Latent | Tensor], noise_mode: str) -> Tensor:
    """Return the images of latents, or of their ws, [N, C, H, W] float."""
    device, synthesis = device_of(G), cast(nn.Module, G.synthesis)
    ws = torch.stack([(item.ws if isinstance(item, Latent) else item).to(device) for item in part])
    if all(isinstance(item, Tensor) or item.is_plain for item in part):
        return G.synthesis(ws, noise_mode=noise_mode)
    images = []
    for w, item in zip(ws, part, strict=True):
        offsets, noise = (item.offsets, item.noise) if isinstance(item, Latent) else ({}, {})
        noise = {name: value.to(device) for name, value in noise.items()}
        images.append(synthesize(synthesis, w[None], offsets, noise, noise_mode=noise_mode))
    return torch.cat(images)


def require_finite(G: GeneratorLike) -> None:
    """Raises: NonFiniteError for a network that holds NaN or infinity."""
    if not isinstance(G, nn.Module):
        return
    tensors = {name: x for name, x in chain(G.named_parameters(), G.named_buffers()) if x.is_floating_point()}
    if not tensors or bool(torch.stack([x.isfinite().all() for x in tensors.values()]).all()):
        return
    damaged = next(name for name, x in tensors.items() if not bool(x.isfinite().all()))
    raise NonFiniteError(f"this network holds NaN or infinity in {damaged}; use an undamaged checkpoint.")


def batched(items: Iterable, n: int) -> Iterator[list]:
    """Yield lists of n items; the last list may be shorter. Raises: ConfigError for n below 1."""
    if n < 1:
        raise ConfigError(f"batch must be at least 1, got {n}.")
    stream = iter(items)
    while part := list(islice(stream, n)):
        yield part
