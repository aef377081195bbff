"""The calls of the Edit tab: latents that are kept, directions, edits and drags."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from stylegan.studio import encode
from stylegan.studio.answers import as_bytes, as_job, file_body
from stylegan.studio.edit_requests import Drag, Edit, Find
from stylegan.studio.latents import Kept
from stylegan.studio.session import Session

LATENTS, DIRECTIONS = "/v1/latents", "/v1/directions"
Name = Annotated[str, Query(max_length=200, description="A name that /v1/networks lists.")]


def edit_router(session: Session) -> APIRouter:
    """Return the routes of a session."""
    router = APIRouter()
    _add_latents(router, session)
    _add_directions(router, session)
    _add_edits(router, session)
    return router


def _add_latents(router: APIRouter, session: Session) -> None:
    @router.get(LATENTS)
    def latents() -> list[dict[str, Any]]:
        """List the latents that are kept; their ids take the place of seeds."""
        return [_row(kept) for kept in session.latents.all()]

    @router.post(LATENTS, status_code=201, openapi_extra=file_body("An .npz or .npy with the array w."))
    async def upload(network: Name, request: Request) -> list[dict[str, Any]]:
        """Keep the latents of an uploaded file, such as projected_w.npz."""
        content = await request.body()
        return [_row(kept) for kept in await run_in_threadpool(session.editor.upload_latents, network, content)]

    @router.get(LATENTS + "/{id}", response_class=Response)
    def latent(id: str) -> Response:
        """Return a latent as .npz."""
        kept = next((kept for kept in session.latents.all() if kept.id == id), None)
        if kept is None:
            raise HTTPException(404, "there is no latent of this id, or it was removed.")
        return as_bytes(session.editor.latent_file(kept), "npz", f"{kept.name}.npz")

    @router.delete(LATENTS + "/{id}")
    def remove(id: str) -> dict[str, Any]:
        """Remove a latent."""
        if not session.latents.remove(id):
            raise HTTPException(404, "there is no latent of this id, or it was removed.")
        return {"removed": id}


def _add_directions(router: APIRouter, session: Session) -> None:
    @router.get("/v1/networks/{name}/directions")
    def directions(name: str) -> list[dict[str, Any]]:
        """List the directions of a network: those that come with it, and those that were uploaded or found."""
        if name not in session.sources:
            raise HTTPException(404, "there is no network of this name.")
        return session.editor.directions(name)

    @router.post(DIRECTIONS, status_code=201, openapi_extra=file_body("A file of directions, .npz."))
    async def upload(network: Name, request: Request) -> dict[str, Any]:
        """Keep an uploaded file of directions."""
        content = await request.body()
        return {"id": await run_in_threadpool(session.editor.upload_directions, network, content)}

    @router.get(DIRECTIONS + "/{id}", response_class=Response)
    def file(id: str) -> Response:
        """Return kept directions as .npz."""
        content = session.editor.direction_file(id)
        if content is None:
            raise HTTPException(404, "there are no directions of this id, or they were removed.")
        return as_bytes(content, "npz", "directions.npz")

    @router.post("/v1/find", status_code=202)
    def find(request: Find) -> dict[str, Any]:
        """Start to find directions; its job leaves directions.npz, and its fact `directions` is their id."""
        return as_job(session.editor.find(request))


def _add_edits(router: APIRouter, session: Session) -> None:
    @router.post("/v1/edit", response_class=Response)
    def edit(
        request: Edit,
        format: Literal["png", "webp", "json", "npz"] = "png",
        kind: Annotated[Literal["edit", "mix", "keep"], Query(description="Begins the name of the latent.")] = "edit",
    ) -> Response:
        """Draw an edited latent (png, webp), or keep it and return its id and its image (json) or its file (npz)."""
        if format in ("png", "webp"):
            return as_bytes(encode.encoded(session.editor.edit(request), format), format)
        kept, image = session.editor.keep(request, kind)
        if format == "npz":
            return as_bytes(session.editor.latent_file(kept), "npz", f"{kept.name}.npz")
        return as_bytes(
            encode.as_object({**_row(kept), "png": base64.b64encode(encode.encoded(image)).decode()}), "json"
        )

    @router.post("/v1/drag", status_code=202)
    def drag(request: Drag) -> dict[str, Any]:
        """Start to move points; its job leaves dragged.npz and dragged.png, and its fact `latent` is the id."""
        return as_job(session.editor.drag(request))


def _row(kept: Kept) -> dict[str, Any]:
    return {"id": kept.id, "name": kept.name, "network": kept.network}
