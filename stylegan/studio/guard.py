"""The guard in front of the app: who may call, how large a request may be, and headers of every answer.

A page of another site that is open in the same browser must reach nothing: the name in the Host header must be known
(DNS rebinding), a change must come from the studio's own page (cross-site request forgery), and no other page may show
or read an answer. A studio that other machines can reach also asks for a token.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import Collection, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.exceptions import HTTPException

LOOPBACK = ("localhost", "127.0.0.1", "::1")
COOKIE = "stylegan_token"
SAFE_METHODS = ("GET", "HEAD")
JSON_TYPE = "application/json"
UPLOAD_TYPES = ("application/octet-stream", "image/")
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """An ASGI application that passes on what may be passed on.

    Args:
        app: the application behind it.
        hosts: names that the Host header may have; addresses are allowed as well if there is a token.
        token: what a caller must know, in the cookie, in `Authorization: Bearer`, or once in the query of the page as
            `token`; None for a studio that only this machine can reach.
        body_bytes: limit of a request's body.
        uploads: path -> limit of the body there, which is a file.
        sockets: paths of WebSockets.
    """

    def __init__(
        self,
        app: Any,
        *,
        hosts: Collection[str],
        token: str | None,
        body_bytes: int,
        uploads: Mapping[str, int],
        sockets: Collection[str] = (),
    ):
        self.app, self.hosts, self.token = app, {host.lower() for host in hosts}, token
        self.body_bytes, self.uploads, self.sockets = body_bytes, uploads, sockets

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if scope["type"] == "websocket":
            if scope["path"] not in self.sockets or self._stranger(scope, headers, changes=True) is not None:
                await receive()
                await send({"type": "websocket.close", "code": 1008})  # before it is accepted, an answer 403
                return
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _answer(send, *refusal)
        elif (cookie := self._start(scope)) is not None:
            await _answer(send, 303, "the page follows", {"location": "/", "set-cookie": cookie})
        else:
            await self.app(scope, self._counted(scope, receive), _with_headers(send))

    def _refusal(self, scope: Any, headers: dict[str, str]) -> tuple[int, str] | None:
        """Return the status and the reason why a request is refused, or None."""
        stranger = self._stranger(scope, headers, changes=scope["method"] not in SAFE_METHODS)
        return stranger or self._malformed(scope, headers)

    def _stranger(self, scope: Any, headers: dict[str, str], *, changes: bool) -> tuple[int, str] | None:
        """Return why the caller is refused. A WebSocket is a change: every site may open one, with its Origin."""
        host = headers.get("host", "")
        if not self._knows(host):
            return 421, "this studio does not serve that host name; open it by the address that it printed"
        if changes and not _same_origin(headers, host):
            return 403, "a change must come from the studio's own page"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and scope["path"].startswith("/v1"):
            return 403, "another site must not read this"
        if self.token is not None and not self._knows_token(scope, headers):
            return 401, "the token is missing or wrong; open the address that the studio printed when it started"
        return None

    def _malformed(self, scope: Any, headers: dict[str, str]) -> tuple[int, str] | None:
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdecimal() or len(length) > 18:
            return 400, "the length of the body must be a number"
        if int(length) > self._limit(scope):
            return 413, f"the body has {length} bytes, more than the limit of {self._limit(scope)}"
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if scope["method"] == "POST":
            upload = scope["path"] in self.uploads
            if not (kind.startswith(UPLOAD_TYPES) if upload else kind == JSON_TYPE):
                return 415, f"the content type must be {' or '.join(UPLOAD_TYPES) if upload else JSON_TYPE}"
        return None

    def _knows(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        return name in self.hosts or (self.token is not None and _is_address(name))

    def _knows_token(self, scope: Any, headers: dict[str, str]) -> bool:
        assert self.token is not None
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        given = [bearer if kind.lower() == "bearer" else "", *_query(scope, "token")]
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            cookie = None
        given.append(cookie.value if cookie else "")
        return any(hmac.compare_digest(value.encode(), self.token.encode()) for value in given)

    def _start(self, scope: Any) -> str | None:
        """Return the cookie to set if this request opens the page with the token in its query."""
        if self.token is None or scope["path"] != "/" or not _query(scope, "token"):
            return None
        return f"{COOKIE}={self.token}; HttpOnly; SameSite=Strict; Path=/"

    def _limit(self, scope: Any) -> int:
        return self.uploads.get(scope["path"], self.body_bytes)

    def _counted(self, scope: Any, receive: Any) -> Any:
        """Return `receive`, which ends a body without a stated length once it exceeds the limit."""
        left = self._limit(scope)

        async def counting() -> Any:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413, f"the body has more than the limit of {self._limit(scope)} bytes.")
            return message

        return counting


def _same_origin(headers: dict[str, str], host: str) -> bool:
    """Return whether a request comes from our page, or from a program: every browser sends Origin with a change."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _query(scope: Any, name: str) -> list[str]:
    try:
        return parse_qs(scope["query_string"].decode("ascii"), max_num_fields=50).get(name, [])
    except ValueError:
        return []


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _answer(send: Any, status: int, reason: str, headers: dict[str, str] | None = None) -> None:
    body = json.dumps({"error": f"{reason}."}).encode()
    fields = {"content-type": JSON_TYPE, "content-length": str(len(body)), **HEADERS, **(headers or {})}
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def _with_headers(send: Any) -> Any:
    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            extra = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in present]
            message = {**message, "headers": [*message["headers"], *extra]}
        await send(message)

    return sending
