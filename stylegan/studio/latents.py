"""Latents that a session keeps, so that a result of one tab is the seed of another."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from stylegan.errors import ConfigError
from stylegan.networks.protocol import GeneratorLike
from stylegan.sampling.latent import Latent, space_of
from stylegan.studio.limits import Limits
from stylegan.studio.store import Store


@dataclass(frozen=True)
class Kept:
    """A latent with its id, such as "latent:0123456789abcdef", its name, such as "photo-1", and its network."""

    id: str
    name: str
    network: str
    latent: Latent


class Latents:
    """The latents of a session."""

    def __init__(self, limits: Limits):
        self.seconds = limits.kept_s
        self._store: Store[Kept] = Store(
            "latent", count=limits.latents, size_bytes=limits.latent_bytes, seconds=limits.kept_s
        )
        self._numbers = itertools.count(1)

    def keep(self, latent: Latent, G: GeneratorLike, network: str, kind: str) -> Kept:
        """Keep a latent of the network `G`, whose name is `network`; `kind` begins the name of the latent."""
        latent = replace(
            latent,
            ws=latent.ws.detach().cpu().clone(),
            offsets={name: value.detach().cpu().clone() for name, value in latent.offsets.items()},
            noise={name: value.detach().cpu().clone() for name, value in latent.noise.items()},
            space=space_of(G),  # that of a seed is not known
        )
        tensors = [latent.ws, *latent.offsets.values(), *latent.noise.values()]
        name = f"{kind}-{next(self._numbers)}"
        id = self._store.put(Kept("", name, network, latent), sum(tensor.nbytes for tensor in tensors))
        return Kept(id, name, network, latent)

    def get(self, id: str) -> Kept:
        """Return a latent. Raises: ConfigError for one that is unknown or was removed."""
        found = self._store.get(id)
        if found is None:
            raise ConfigError(
                f"{id} is unknown, or was removed because it was not used for {self.seconds / 60:.0f} minutes; upload "
                "its file again."
            )
        return replace(found, id=id)

    def all(self) -> list[Kept]:
        """Return the latents, the one unused longest first."""
        return [replace(kept, id=id) for id, kept in self._store.values().items()]

    def remove(self, id: str) -> bool:
        """Remove a latent. Returns whether there was one."""
        return self._store.remove(id)

    def exact(self, points: Sequence[int | str]) -> bool:
        """Return whether one of some points needs the network as it was trained: it changes layers or noise.

        Raises: ConfigError as `get`.
        """
        return not all(self.get(point).latent.is_plain for point in points if isinstance(point, str))
