"""Run the studio: bind an address, serve until a signal, then finish what was begun."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import sys
from collections.abc import Callable, Collection
from importlib.util import find_spec

from stylegan.errors import MissingExtra, OutputError
from stylegan.studio.app import create_app
from stylegan.studio.guard import LOOPBACK
from stylegan.studio.session import Session

try:
    import uvicorn
except ImportError as error:
    raise MissingExtra(
        "the studio needs FastAPI and uvicorn. Install them with: pip install 'stylegan[studio]'"
    ) from error

MESSAGE_BYTES = 4096  # of a WebSocket; the studio only sends
DRAIN_S = 6  # for answers that are being computed; closing the session takes a few more


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes any free one. Raises: OutputError if the address cannot be bound."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(100)  # so that a browser which is opened now is answered as soon as the server runs
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(
            f"cannot listen on {host}, port {port}: {reason}; choose another `host` or `port`."
        ) from error
    return bound


def is_loopback(bound: socket.socket) -> bool:
    """Return whether only this machine can reach a socket."""
    return ipaddress.ip_address(bound.getsockname()[0]).is_loopback


def server(
    session: Session, bound: socket.socket, *, page: bool = True, hosts: Collection[str] = ()
) -> tuple[_Server, str]:
    """Return a server that finishes the calls that wait and closes the session when it ends, and its start URL.

    Args:
        bound: from `bind`. If other machines can reach it, a token is made, which the start URL contains.
        page: whether to serve the page as well.
        hosts: names under which the studio may be called besides those of this machine.
    """
    address, port = bound.getsockname()[:2]
    token = None if is_loopback(bound) else secrets.token_urlsafe(24)
    app = create_app(session, page=page, hosts={*LOOPBACK, address, socket.gethostname(), *hosts}, token=token)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
        timeout_keep_alive=30,
        limit_concurrency=64,
        ws="wsproto" if find_spec("wsproto") is not None else "none",
        ws_max_size=MESSAGE_BYTES,
        http="h11",
        loop="asyncio",
    )
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(address, f"[{address}]" if ":" in address else address)
    return _Server(config, session), f"http://{name}:{port}/" + (f"?token={token}" if token else "")


class _Server(uvicorn.Server):
    """A server that ends its streams before it waits for answers to end."""

    def __init__(self, config: uvicorn.Config, session: Session):
        super().__init__(config)
        self._session = session

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._session.live.close()
        await super().shutdown(sockets)


def take_short_turns() -> None:
    """Let the threads of this process take turns every half a millisecond.

    Each operation of a drawing needs Python again at its end, and would wait up to 5 ms for a thread that answers.
    """
    sys.setswitchinterval(5e-4)


def run(
    session: Session,
    bound: socket.socket,
    *,
    page: bool = True,
    hosts: Collection[str] = (),
    started: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve until SIGINT or SIGTERM, then end within 10 s. `started` is called with the URL; others as in `server`."""
    take_short_turns()
    serving, url = server(session, bound, page=page, hosts=hosts)
    started(url)
    serving.run(sockets=[bound])
