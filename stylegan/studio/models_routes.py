"""The calls of the Models tab: checkpoints that are uploaded, converted and removed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from stylegan.errors import BusyError
from stylegan.studio.added import Kind
from stylegan.studio.answers import as_job, file_body
from stylegan.studio.session import Session

CHECKPOINT = "/v1/networks"


class Convert(BaseModel):
    """Write a network as a file for download."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    network: str = Field(max_length=200)
    kind: Kind = Field(
        "official", description="Of file: official is .safetensors, rosinality .pt, native a .zip of the folder."
    )


def models_router(session: Session) -> APIRouter:
    """Return the routes of a session."""
    router = APIRouter()

    @router.post(
        CHECKPOINT, status_code=201, openapi_extra=file_body("A checkpoint of any kind that the library reads.")
    )
    async def upload(
        request: Request, name: Annotated[str, Query(max_length=200, description="Name of the file.")] = "network"
    ) -> dict[str, Any]:
        """Add an uploaded checkpoint to the networks. Nothing in it is run."""
        if not session.added.uploading.acquire(blocking=False):
            raise BusyError("another checkpoint is being uploaded; try again when that is done.")
        try:
            file = session.added.new_file(name)
            try:
                with open(file, "wb") as stream:
                    async for chunk in request.stream():
                        await run_in_threadpool(stream.write, chunk)
            except BaseException:
                session.added.discard(file)
                raise
            return {"name": await run_in_threadpool(session.added.add_file, file)}
        finally:
            session.added.uploading.release()

    @router.delete(CHECKPOINT + "/{name}")
    def remove(name: str) -> dict[str, Any]:
        """Remove a network that was added."""
        if not session.added.remove(name):
            raise HTTPException(404, "there is no added network of this name.")
        return {"removed": name}

    @router.post("/v1/convert", status_code=202)
    def convert(request: Convert) -> dict[str, Any]:
        """Start to write a network as .safetensors, .pt or .zip; its job leaves the file."""
        return as_job(session.added.convert(request.network, request.kind))

    return router
