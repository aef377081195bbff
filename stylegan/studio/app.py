"""The HTTP API at /v1, and the page."""

from __future__ import annotations

import io
import json
import math
import threading
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Annotated, Any, Literal

from stylegan import __version__
from stylegan.errors import (
    BusyError,
    ConfigError,
    DataError,
    MissingExtra,
    NonFiniteError,
    OutOfMemoryError,
    OutputError,
    ShapeError,
    StyleGANError,
)
from stylegan.studio import encode
from stylegan.studio.guard import LOOPBACK, Guard
from stylegan.studio.jobs import Job
from stylegan.studio.requests import Dance, Generate, Interpolate, Mix, Project, Walk
from stylegan.studio.session import Session
from stylegan.studio.worker import RETRY_S

try:
    from fastapi import FastAPI, HTTPException, Query, Request
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import FileResponse, Response
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException as StarletteHTTPException

    from stylegan.studio.answers import as_bytes, as_job
    from stylegan.studio.bend_routes import bend_router
    from stylegan.studio.edit_routes import DIRECTIONS, LATENTS, edit_router
    from stylegan.studio.live_routes import STREAM, live_router
    from stylegan.studio.models_routes import CHECKPOINT, models_router
    from stylegan.studio.train_routes import UPLOAD, train_router
except ImportError as error:
    raise MissingExtra(
        "the studio needs FastAPI and uvicorn. Install them with: pip install 'stylegan[studio]'"
    ) from error

PAGE = {  # every file of the page; a client never names a path
    "index.html": "text/html; charset=utf-8",
    **dict.fromkeys(("style.css", "train.css", "live.css"), "text/css; charset=utf-8"),
    "icon.svg": "image/svg+xml",
    "tabs.css": "text/css; charset=utf-8",
    **dict.fromkeys(
        (
            "api.js",
            "controls.js",
            "command.js",
            "explore.js",
            "mix.js",
            "loop.js",
            "invert.js",
            "models.js",
            "train.js",
            "live.js",
            "main.js",
        ),
        "text/javascript; charset=utf-8",
    ),
    **dict.fromkeys(
        ("latents.js", "layers.js", "edit.js", "drag.js", "bend.js"),
        "text/javascript; charset=utf-8",
    ),
}
STATUS: dict[type[StyleGANError], int] = {  # the first that fits
    BusyError: 429,
    ConfigError: 422,
    ShapeError: 422,
    DataError: 422,
    NonFiniteError: 422,  # such as an image that is bent until its numbers overflow
    OutOfMemoryError: 503,
    OutputError: 507,
    MissingExtra: 501,
    StyleGANError: 500,
}
PROJECT, SONG = "/v1/project", "/v1/song"
SheetFormat = Literal["png", "webp"]


def create_app(
    session: Session, *, page: bool = True, hosts: Collection[str] = LOOPBACK, token: str | None = None
) -> Guard:
    """Return the ASGI application of a session, which closes it when it shuts down.

    Args:
        page: whether to serve the page at / as well.
        hosts, token: see `Guard`.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        threading.Thread(target=session.warm, daemon=True).start()
        yield
        await run_in_threadpool(session.close)

    # Their pages of documentation load scripts from another site, so there is only the description in JSON.
    app = FastAPI(
        title="stylegan", version=__version__, docs_url=None, redoc_url=None, openapi_url="/v1/openapi.json",
        lifespan=lifespan,
    )  # fmt: skip
    _add_errors(app)
    _add_networks(app, session)
    _add_images(app, session)
    _add_jobs(app, session)
    for router in (edit_router(session), bend_router(session), models_router(session), live_router(session.live)):
        app.include_router(router)
    uploads = dict.fromkeys((PROJECT, LATENTS, DIRECTIONS), session.limits.upload_bytes)
    uploads |= {CHECKPOINT: session.limits.checkpoint_bytes, SONG: session.limits.song_bytes}
    if session.trainer is not None:
        app.include_router(train_router(session.trainer))
        uploads[UPLOAD] = session.limits.data_bytes
    if page:
        _add_page(app)
    return Guard(
        app,
        hosts=hosts,
        token=token,
        body_bytes=session.limits.body_bytes,
        uploads=uploads,
        sockets={STREAM},
    )


def _add_errors(app: FastAPI) -> None:
    """Answer every error as {"error": one sentence}, without repeating a value that JSON cannot hold."""

    def answer(status: int, text: str) -> Response:
        headers = {"retry-after": str(RETRY_S)} if status in (429, 503) else {}
        content = json.dumps({"error": text})  # ASCII, so that lone surrogates of a request cannot fail here
        return Response(content, status, headers, media_type="application/json")

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return answer(422, " ".join(_sentence(one) for one in error.errors()[:5]))

    @app.exception_handler(StyleGANError)
    async def expected(request: Request, error: StyleGANError) -> Response:
        return answer(next(status for kind, status in STATUS.items() if isinstance(error, kind)), str(error))

    @app.exception_handler(StarletteHTTPException)
    async def http(request: Request, error: StarletteHTTPException) -> Response:
        return answer(error.status_code, str(error.detail))

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> Response:
        return answer(500, f"the studio failed with {type(error).__name__}; this is a bug.")


def _sentence(error: Any) -> str:
    """Return one finding of pydantic as a sentence; a value is shown if it is short and finite."""
    place = ".".join(str(part) for part in error["loc"] if part not in ("body", "query"))[:100] or "the body"
    value = error.get("input")
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e20
    shown = f", got {value!r}" if number and math.isfinite(value) else ""
    return f"{place}: {error['msg'][:1].lower()}{error['msg'][1:300]}{shown}."


def _add_networks(app: FastAPI, session: Session) -> None:
    @app.get("/v1/health")
    async def health() -> dict[str, Any]:
        """Return the version, the device, how much waits, and whether the studio trains."""
        state = {"status": "ok", "version": __version__, "device": str(session.device), **session.load}
        return {**state, "training": session.trainer is not None}

    @app.get("/v1/networks")
    def networks() -> list[dict[str, Any]]:
        """List the networks."""
        return session.networks()

    @app.get("/v1/networks/{name}")
    def network(name: str, layers: bool = True) -> dict[str, Any]:
        """Return all that is known about a network: its model card, its labels and, unless left out, its layers."""
        if name not in session.sources:
            raise HTTPException(404, "there is no network of this name.")
        return session.card(name, layers=layers)


def _add_images(app: FastAPI, session: Session) -> None:
    @app.post("/v1/generate", response_class=Response)
    def generate(
        request: Generate,
        format: Literal["png", "webp", "json", "npz"] = "png",
        columns: Annotated[int | None, Query(ge=1, le=64)] = None,
    ) -> Response:
        """Draw one image per seed: one image or a sheet (png, webp), each for itself (json), or with its w (npz)."""
        images = session.generate(request)
        if format == "json":
            return as_bytes(encode.as_json(images, request.seeds), "json")
        if format == "npz":
            return as_bytes(encode.as_npz(images, session.ws(request), request.seeds), "npz")
        return as_bytes(encode.sheet(images, columns, format), format)

    @app.post("/v1/walk", response_class=Response)
    def walk(request: Walk, format: SheetFormat = "png") -> Response:
        """Draw frames between seeds, side by side in one row."""
        return as_bytes(encode.sheet(session.walk(request), request.frames, format), format)

    @app.post("/v1/mix", response_class=Response)
    def mix(request: Mix, format: SheetFormat = "png") -> Response:
        """Draw a mixing matrix with the images of the seeds in the first row and column."""
        return as_bytes(encode.encoded(session.mix(request), format), format)


def _add_jobs(app: FastAPI, session: Session) -> None:
    def found(id: str) -> Job:
        job = session.job(id)
        if job is None:
            raise HTTPException(404, "there is no job of this id, or it was removed.")
        return job

    @app.post("/v1/interpolate", status_code=202)
    def interpolate(request: Interpolate) -> dict[str, Any]:
        """Start to draw a loop; its job leaves loop.webp or loop.gif."""
        return as_job(session.interpolate(request))

    body = {"image/*": {"schema": {"type": "string", "format": "binary"}}}

    @app.post(PROJECT, status_code=202, openapi_extra={"requestBody": {"content": body, "required": True}})
    async def project(settings: Annotated[Project, Query()], request: Request) -> dict[str, Any]:
        """Start to search for the latent of the image in the body; its job leaves projected_w.npz and proj.png."""
        upload = io.BytesIO(await request.body())
        return as_job(await run_in_threadpool(session.project, settings, upload))

    sound = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}

    @app.post(SONG, status_code=202, openapi_extra={"requestBody": {"content": sound, "required": True}})
    async def song(settings: Annotated[Dance, Query()], request: Request) -> dict[str, Any]:
        """Start to draw a video that the song in the body drives; its job leaves song.mp4."""
        upload = io.BytesIO(await request.body())
        return as_job(await run_in_threadpool(session.dance, settings, upload))

    @app.get("/v1/jobs")
    def jobs() -> list[dict[str, Any]]:
        """List the jobs, the oldest first."""
        return [as_job(job) for job in session.jobs()]

    @app.get("/v1/jobs/{id}")
    def job(id: str) -> dict[str, Any]:
        """Return the state and the progress of a job."""
        return as_job(found(id))

    @app.get("/v1/jobs/{id}/preview", response_class=Response)
    def preview(id: str) -> Response:
        """Return the newest image of a job."""
        image = found(id).image
        if image is None:
            raise HTTPException(404, "this job has no image yet.")
        return as_bytes(encode.encoded(image), "png")

    @app.get("/v1/jobs/{id}/files/{name}", response_class=Response)
    def file(id: str, name: str) -> Response:
        """Return a file that a job left."""
        path = found(id).files.get(name)
        if path is None:
            raise HTTPException(404, "this job has no file of this name.")
        headers = {"content-disposition": f'attachment; filename="{path.name}"'}
        return FileResponse(path, headers=headers, media_type=encode.MEDIA_TYPES[path.suffix[1:]])

    @app.delete("/v1/jobs/{id}")
    def cancel(id: str) -> dict[str, Any]:
        """Cancel a job: before it begins, or at its next step."""
        job = found(id)
        job.cancel()
        return as_job(job)


def _add_page(app: FastAPI) -> None:
    folder = files("stylegan.studio") / "page"
    contents = {name: (folder / name).read_bytes() for name in PAGE}

    def serving(name: str) -> Callable[[], Response]:
        return lambda: Response(contents[name], headers={"content-type": PAGE[name]})

    for name in PAGE:
        path = "/" if name == "index.html" else f"/{name}"
        app.get(path, response_class=Response, include_in_schema=False)(serving(name))
