"""The calls of the Bend tab: images of bent and blended networks, and feature maps."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from stylegan.images.grid import make_grid
from stylegan.studio import encode
from stylegan.studio.answers import as_bytes
from stylegan.studio.bend_requests import BendImages, Features, SaveBlend
from stylegan.studio.session import Session

Format = Literal["png", "webp"]
Columns = Annotated[int | None, Query(ge=1, le=64)]


def bend_router(session: Session) -> APIRouter:
    """Return the routes of a session."""
    router = APIRouter()

    @router.post("/v1/bend", response_class=Response)
    def bend(request: BendImages, format: Format = "png", columns: Columns = None) -> Response:
        """Draw images with changed feature maps: one image or a sheet."""
        return as_bytes(encode.sheet(session.bending.bend(request), columns, format), format)

    @router.post("/v1/features", response_class=Response)
    def features(request: Features, format: Format = "png", columns: Columns = 8) -> Response:
        """Draw feature maps of one layer side by side; `bendable` of a network lists its layers and their channels."""
        images = session.bending.features(request)
        columns = columns or 8
        return as_bytes(encode.encoded(make_grid(images, columns, -(-len(images) // columns)), format), format)

    @router.post("/v1/blend", status_code=201)
    def blend(request: SaveBlend) -> dict[str, Any]:
        """Add a blended network to those of the studio, where every call takes it and /v1/convert writes its file."""
        return {"name": session.bending.save(request)}

    return router
