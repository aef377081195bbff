"""The live image as MJPEG, which any browser, player or OBS shows, and as a WebSocket; and the calls that steer it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated, Any

from fastapi import APIRouter, Query, WebSocket
from fastapi.responses import StreamingResponse
from starlette.websockets import WebSocketDisconnect

from stylegan.errors import BusyError
from stylegan.studio.live import FASTEST, Frames, Live
from stylegan.studio.requests import LiveChange

STREAM = "/v1/stream"
BOUNDARY = "frame"
TRY_AGAIN = 1013  # codes of WebSocket closes
GOING_AWAY = 1001
Fps = Annotated[float, Query(ge=1, le=FASTEST, allow_inf_nan=False)]


def live_router(live: Live) -> APIRouter:
    """Return the routes of a live image."""
    router = APIRouter()

    @router.get("/v1/live")
    def state() -> dict[str, Any]:
        """Return all values of the live image, and who watches it."""
        return live.state()

    @router.post("/v1/live")
    def change(request: LiveChange) -> dict[str, Any]:
        """Change some values of the live image."""
        live.change(request)
        return live.state()

    @router.get(STREAM, response_class=StreamingResponse)
    async def stream(fps: Fps = 30) -> StreamingResponse:
        """Show the live image as MJPEG, until the connection ends. A slow connection misses frames."""
        stack = AsyncExitStack()
        frames = await stack.enter_async_context(live.watching())  # before the headers, so that a refusal has a status
        return StreamingResponse(
            _parts(frames, fps, stack), media_type=f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        )

    @router.websocket(STREAM)
    async def socket(websocket: WebSocket, fps: Fps = 30) -> None:
        try:
            async with live.watching() as frames:
                await websocket.accept()
                await _until_first(_sent(websocket, frames, fps), _disconnected(websocket))
        except BusyError as error:
            await websocket.close(TRY_AGAIN, str(error))

    return router


async def _parts(frames: Frames, fps: float, stack: AsyncExitStack) -> AsyncIterator[bytes]:
    async with stack:
        async for jpeg in frames.each(fps):
            yield b"--%s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % (BOUNDARY.encode(), len(jpeg))
            yield jpeg + b"\r\n"


async def _sent(websocket: WebSocket, frames: Frames, fps: float) -> None:
    try:
        async for jpeg in frames.each(fps):
            await websocket.send_bytes(jpeg)
        await websocket.close(GOING_AWAY)
    except (WebSocketDisconnect, RuntimeError):  # closed by the other side meanwhile
        pass


async def _disconnected(websocket: WebSocket) -> None:
    """Wait for the end of the connection; what is sent to us is not looked at."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def _until_first(*coroutines: Any) -> None:
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
