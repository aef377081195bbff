"""Answers that several parts of the HTTP API give."""

from __future__ import annotations

from typing import Any

from fastapi.responses import Response

from stylegan.studio import encode
from stylegan.studio.jobs import Job


def as_bytes(content: bytes, form: str, name: str | None = None) -> Response:
    """Return content of a form that `encode.MEDIA_TYPES` lists; a browser saves it under `name` if there is one."""
    headers = {} if name is None else {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, headers=headers, media_type=encode.MEDIA_TYPES[form])


def as_job(job: Job) -> dict[str, Any]:
    """Return the state of a job."""
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "step": job.step,
        "total": job.total,
        "has_preview": job.image is not None,
        "files": sorted(job.files),
        "facts": job.facts,
        "error": job.error,
    }


def file_body(description: str) -> dict[str, Any]:
    """Return the part of the description of a call whose body is a file."""
    schema = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    return {"requestBody": {"content": schema, "required": True, "description": description}}
