"""A local server of one file, which can be made to cut, stall, announce wrong sizes, ignore ranges and redirect."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from stylegan.files.download import Rules

CONTENT = bytes(range(256)) * 2000  # 512 kB
SHA256 = hashlib.sha256(CONTENT).hexdigest()
RULES = Rules(schemes=("http",), timeout_s=0.3, tries=3, pause_s=0)


class Server(ThreadingHTTPServer):
    """Sends CONTENT with ranges and a version; attributes make it misbehave."""

    daemon_threads = True
    content = CONTENT
    etag: str | None = '"1"'
    ranges = True
    announced = None  # Content-Length instead of the true one
    chunked = False  # no length at all: the end of the connection is the end of the file
    stall = False
    status = 200
    location = None
    content_type = "application/octet-stream"

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []
        self.cut_after: list[int] = []  # bytes to send in the next answers before the connection is closed

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/net.pkl"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_):
        pass

    def do_GET(self):
        server, asked = self.server, self.headers.get("Range")
        server.asked.append(asked)
        start, end = 0, len(server.content)
        same = self.headers.get("If-Range") in (None, server.etag)
        if asked and server.ranges and same:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = int(first), int(last) + 1 if last else end
        partial = asked is not None and server.ranges and same
        if start >= len(server.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(server.content)}")
            self.end_headers()
            return
        self.send_response(206 if partial and server.status == 200 else server.status)
        self.send_header("Content-Type", server.content_type)
        if server.location:
            self.send_header("Location", server.location)
        if server.etag:
            self.send_header("ETag", server.etag)
        if partial:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(server.content)}")
        if not server.chunked:
            self.send_header("Content-Length", str(server.announced or end - start))
        self.end_headers()
        body = server.content[start:end]
        self.wfile.write(body[: server.cut_after.pop(0)] if server.cut_after else body)
        if server.stall:
            self.wfile.flush()
            time.sleep(1)


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server while the block runs."""
    server = Server()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
