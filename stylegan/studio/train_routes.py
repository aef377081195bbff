"""The calls of the Train tab: data sets, plans, and one training at a time."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from stylegan.studio.answers import as_job, file_body
from stylegan.studio.datasets import DataSets, writer
from stylegan.studio.jobs import Job
from stylegan.studio.requests import Prepare, Resume, Train
from stylegan.studio.training import Trainer

UPLOAD = "/v1/data"


def train_router(trainer: Trainer) -> APIRouter:
    """Return the routes of a trainer."""
    router, data = APIRouter(), trainer.data

    _add_data(router, data)

    @router.get("/v1/train")
    def train() -> dict[str, Any]:
        """Return the state of the training, and the presets to choose from."""
        return {**trainer.state(), **trainer.choices()}

    @router.post("/v1/train/plan")
    def plan(request: Train) -> dict[str, Any]:
        """Return the memory, the disk and the time that a training would need."""
        return trainer.plan(request)

    @router.post("/v1/train", status_code=202)
    def start(request: Train) -> dict[str, Any]:
        """Start a training, as a process of its own. One runs at a time."""
        trainer.start(request)
        return trainer.state()

    @router.post("/v1/train/resume", status_code=202)
    def resume(request: Resume) -> dict[str, Any]:
        """Resume a run from its newest snapshot."""
        trainer.resume(request)
        return trainer.state()

    @router.delete("/v1/train")
    def stop() -> dict[str, Any]:
        """Stop the training after its step, with a snapshot."""
        trainer.stop()
        return trainer.state()

    @router.get("/v1/runs")
    def runs() -> list[dict[str, Any]]:
        """List the runs, the newest first."""
        return trainer.runs()

    @router.get("/v1/runs/{name}")
    def run(name: str) -> dict[str, Any]:
        """Return the progress, the curves and the image grids of a run."""
        return trainer.run(name)

    @router.get("/v1/runs/{name}/grids/{file}", response_class=Response)
    def grid(name: str, file: str) -> Response:
        """Return an image grid of a run."""
        return Response(trainer.grid(name, file).read_bytes(), media_type="image/png")

    return router


def _add_data(router: APIRouter, data: DataSets) -> None:
    @router.get(UPLOAD)
    def listed() -> list[dict[str, str]]:
        """List the data sets."""
        return [{"name": name, "kind": kind} for name, kind in data.names().items()]

    @router.post(UPLOAD, status_code=202, openapi_extra=file_body("A zip of images."))
    async def upload(
        request: Request,
        name: Annotated[str, Query(min_length=1, max_length=80)],
        resolution: Annotated[Literal["16", "32", "64", "128", "256", "512", "1024"], Query()],
    ) -> dict[str, Any]:
        """Start to make a data set of the zip of images in the body; its job says which images were left out."""
        job: Job = await run_in_threadpool(data.new_upload, name)
        try:
            write = writer(job.file("upload.zip"))
            async for content in request.stream():
                await run_in_threadpool(write, content)
            await run_in_threadpool(lambda: data.prepare(name, int(resolution), job=job))
        except BaseException:
            data.shelf.discard(job)
            raise
        return as_job(job)

    @router.get("/v1/data/{name}")
    def survey(name: str) -> dict[str, Any]:
        """Return the number, the sizes and the labels of the images, and what would be wrong with them."""
        return data.survey(name)

    @router.post("/v1/data/{source}/prepare", status_code=202)
    def prepare(source: str, request: Prepare) -> dict[str, Any]:
        """Start to make a data set of equal square images from another one."""
        return as_job(data.prepare(request.name, request.resolution, source=source))
