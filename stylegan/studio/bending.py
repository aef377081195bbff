"""Bends and blends of a session: changed feature maps, and networks between two others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from stylegan.editing import bend
from stylegan.editing.blend import Part, blended, blended_checkpoint
from stylegan.networks.generator import FamilyGenerator
from stylegan.sampling.mixing import parse_styles
from stylegan.studio.bend_requests import Bend, BendImages, Blend, Features, SaveBlend
from stylegan.studio.opened import OpenedNetwork

if TYPE_CHECKING:
    from stylegan.studio.session import Session


class Bending:
    """Draws with networks that are bent or blended."""

    def __init__(self, session: Session):
        self._session = session
        self._blend: tuple[tuple, FamilyGenerator] | None = None  # the newest one; used in the worker alone

    def bend(self, request: BendImages) -> Tensor:
        """Return one image per seed, [N, C, H, W] uint8. Raises: ConfigError, BusyError."""
        session = self._session
        opened = session._open(request.network)
        session._require_room(opened, len(request.seeds))
        points = session._resolved(opened, request.seeds)
        other = self._other(request.blend)

        def work() -> Tensor:
            G = self._blended(opened, other, request.blend)
            with bend.bent(G, _bends(request.bends)):
                return session._draw_exactly(opened, request, points, G)

        return session._worker.call(work)

    def features(self, request: Features) -> Tensor:
        """Return feature maps as gray images, [N, 1, size, size] uint8. Raises: ConfigError, BusyError."""
        session = self._session
        opened = session._open(request.network)
        points = session._resolved(opened, [request.seed])
        other = self._other(request.blend)

        def work() -> Tensor:
            G = self._blended(opened, other, request.blend)
            latent = session._to_latents(opened, request, points)[0]
            with opened.threads():
                return bend.feature_images(G, latent, request.layer, _bends(request.bends))

        images = session._worker.call(work)
        return images[min(request.first, len(images) - 1) :][: request.count]

    def save(self, request: SaveBlend) -> str:
        """Add a blended network to those of the session and return its name. Raises: ConfigError, BusyError."""
        session = self._session
        opened, other = session._open(request.network), session._open(request.blend.network)
        layers = _layers(opened, request.blend)
        parts = [
            Part(name=name, G=one.G, licence=one.licence)
            for name, one in ((request.network, opened), (request.blend.network, other))
        ]
        checkpoint = session._worker.call(lambda: blended_checkpoint(parts[0], parts[1], request.blend.alpha, layers))
        return session.added.add_checkpoint(checkpoint, request.name)

    def _other(self, request: Blend | None) -> OpenedNetwork | None:
        return None if request is None else self._session._open(request.network)

    def _blended(self, opened: OpenedNetwork, other: OpenedNetwork | None, request: Blend | None) -> FamilyGenerator:
        if other is None or request is None:
            return opened.G
        layers = _layers(opened, request)
        key = (opened, other, request.alpha, None if layers is None else tuple(layers))
        if self._blend is None or self._blend[0] != key:
            self._blend = key, blended(opened.G, other.G, request.alpha, layers)
        return self._blend[1]


def _layers(opened: OpenedNetwork, request: Blend) -> list[int] | None:
    return None if request.layers is None else parse_styles(request.layers, opened.G.num_ws)


def _bends(bends: Sequence[Bend]) -> list[bend.Bend]:
    return [one.bend() for one in bends]
