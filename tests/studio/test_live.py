"""The live image: a walk that is steered, streams that drop frames and end, and strangers that get none."""

import asyncio
import io
import json
import socket
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image
from starlette.websockets import WebSocketDisconnect
from studio_helpers import client_of, serving

from stylegan.studio import Session
from stylegan.studio.limits import Limits
from stylegan.studio.live import Frames, Live, _neighbors
from stylegan.studio.requests import LiveChange


@pytest.fixture
def live(session):
    return Live(session, watchers=2)


def run(coroutine):
    """Run a coroutine in a thread of its own, since Playwright's loop may be running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def jpeg(content):
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return image.format, image.size


def test_numbers_are_limited_and_strangers_ignored(live):
    for name, value, expected in (("psi", 99, 3.0), ("psi", -99, -2.0), ("speed", 1e9, 10.0), ("loop", 3.4, 3)):
        assert live.set(name, value)
        assert live.state()[name] == expected
    before = live.state()
    for name, value in (("psi", float("nan")), ("seed", float("inf")), ("network", 1.0), ("direction/none", 1.0)):
        assert not live.set(name, value)
    assert live.state() == before
    live.set("noise", 2)
    assert live.state()["noise_mode"] == "random"


def test_the_walk_passes_seeds_and_returns_at_the_end_of_a_loop(live):
    live.change(LiveChange(seed=5.0, speed=1.0, loop=2))
    assert live._advance(0.5) == [("seed", 5.5)]
    assert live._advance(0.75) == [("key", 6.0), ("seed", 6.25)]
    assert live._advance(1.0) == [("loop", 1.0), ("key", 5.0), ("seed", 5.25)]
    live.change(LiveChange(speed=-1.0))
    assert live._advance(0.5) == [("loop", 2.0), ("key", 6.0), ("seed", 6.75)]
    live.change(LiveChange(speed=0.0))
    assert live._advance(0.5) == []


def test_the_last_seed_of_a_loop_leads_to_the_first():
    assert _neighbors(6.25, 5.0, 2) == (6, 5, 0.25)
    assert _neighbors(5.5, 5.0, 2) == (5, 6, 0.5)
    assert _neighbors(2**32 - 0.5, 0.0, 0) == (2**32 - 1, 0, 0.5)


def test_a_direction_moves_the_image_and_a_bundled_network_brings_some():
    with Session({"avatars64": "avatars64"}, device="cpu") as session:
        live = session.live
        name = next(iter(live.directions()))
        assert live.set(f"direction/{name}", 50)
        assert live.state()["directions"][name] == 10.0
        shown = []
        live._watchers.append(type("Watcher", (), {"offer": lambda self, frame: shown.append(frame)})())
        live._draw()
        live.set(f"direction/{name}", 0)
        live._draw()
        assert jpeg(shown[0]) == ("JPEG", (64, 64))
        assert shown[0] != shown[1]


def test_a_watcher_that_is_slow_gets_the_newest_frame():
    async def watch():
        frames = Frames()
        for k in range(50):
            frames.offer(b"%d" % k)
        await asyncio.sleep(0.05)
        got = []
        async for frame in frames.each(fps=1000):
            got.append(frame)
            frames.offer(None)
        return got, frames.dropped

    assert run(watch()) == ([b"49"], 49)


def test_frames_come_at_most_as_often_as_asked():
    async def watch():
        frames, got = Frames(), 0
        stop = threading.Event()

        def offer():
            while not stop.wait(0.002):
                frames.offer(b"x")
            frames.offer(None)

        threading.Thread(target=offer).start()
        asyncio.get_running_loop().call_later(0.5, stop.set)
        async for _ in frames.each(fps=10):
            got += 1
        return got

    assert 3 <= run(watch()) <= 7


@pytest.fixture
def served(networks):
    with Session(networks, device="cpu", limits=Limits(streams=2)) as session, serving(session) as url:
        yield session, url


def opened(url, request):
    host, _, port = url.removeprefix("http://").rstrip("/").partition(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    connection.sendall(request.replace("HOST", f"{host}:{port}").replace("\n", "\r\n").encode() + b"\r\n\r\n")
    return connection


GET = "GET /v1/stream?fps=60 HTTP/1.1\nHost: HOST"


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_stream_is_mjpeg_and_ends_with_its_connection(served):
    session, url = served
    with urllib.request.urlopen(f"{url}v1/stream?fps=60", timeout=20) as stream:
        assert stream.headers["content-type"] == "multipart/x-mixed-replace; boundary=frame"
        seen = set()
        while len(seen) < 3:  # the walk moves
            line = stream.readline()
            if line.startswith(b"Content-Length:"):
                stream.readline()
                content = stream.read(int(line.split(b":")[1]))
                assert jpeg(content) == ("JPEG", (16, 16))
                seen.add(content)
    until(lambda: session.live.state()["watchers"] == 0)
    until(lambda: session.live._thread is None)  # nothing is drawn for no one


def test_a_stream_that_is_not_read_delays_no_other_and_streams_are_bounded(served):
    session, url = served
    with opened(url, GET), opened(url, GET) as second:
        assert second.recv(100)
        until(lambda: session.live.state()["watchers"] == 2)
        with opened(url, GET) as third:
            assert b" 429 " in third.recv(100)
        until(lambda: len(second.recv(65536)) > 0)


def test_ending_the_server_ends_streams_at_once(networks):
    with Session(networks, device="cpu") as session:
        with serving(session) as url:
            connection = opened(url, GET)
            assert connection.recv(100)
            begin = time.monotonic()
        assert time.monotonic() - begin < 5
        connection.close()


HELLO = (
    "Upgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
)


def test_a_websocket_sends_frames_and_ends_with_its_connection(served):
    pytest.importorskip("wsproto", reason="pip install 'stylegan[live]'")
    session, url = served
    request = f"{GET}\n{HELLO}\nOrigin: {url.rstrip('/')}"
    with opened(url, request) as connection, connection.makefile("rb") as file:  # which would keep the socket open
        assert b" 101 " in b"".join(iter(file.readline, b"\r\n"))
        for _ in range(2):
            kind, size = file.read(2)
            assert kind == 0x82  # one whole binary message
            assert jpeg(file.read(int.from_bytes(file.read(2), "big") if size == 126 else size)) == ("JPEG", (16, 16))
            connection.sendall(b"\x81\x80" + bytes(4))  # an empty message, which is not looked at
    until(lambda: session.live.state()["watchers"] == 0)


def test_a_websocket_of_another_site_is_refused_in_the_handshake(served):
    pytest.importorskip("wsproto", reason="pip install 'stylegan[live]'")
    session, url = served
    for origin, status in ((url.rstrip("/"), b" 101 "), ("http://evil.example", b" 403 "), ("null", b" 403 ")):
        with opened(url, f"{GET}\n{HELLO}\nOrigin: {origin}") as connection:
            assert status in connection.recv(200), origin
    with opened(url, f"{GET.replace('HOST', 'evil.example')}\n{HELLO}") as connection:  # DNS rebinding
        assert b" 403 " in connection.recv(200)
    until(lambda: session.live.state()["watchers"] == 0)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"host": "evil.example"},
        {"sec-fetch-site": "cross-site", "origin": "http://localhost:7860"},
    ],
)
def test_strangers_get_no_websocket(session, headers):
    client = client_of(session)
    given = {"host": "localhost:7860", "origin": "http://localhost:7860", **headers}
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/v1/stream", headers=given):
        pass


def test_a_websocket_needs_the_token_too(session):
    client = client_of(session, token="secret")
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/v1/stream", headers={"host": "localhost:7860"}):
        pass
    scope = {"type": "websocket", "path": "/v1/stream", "query_string": b""}
    for cookie, status in (("secret", None), ("other", 401)):
        headers = {"host": "localhost:7860", "cookie": f"stylegan_token={cookie}"}
        refusal = client.app._stranger(scope, headers, changes=True)
        assert (refusal and refusal[0]) == status


@pytest.mark.parametrize(
    "wrong",
    [{"psi": 1e9}, {"speed": "fast"}, {"loop": 1.5}, {"seed": -1.0}, {"directions": {"x": 99.0}}, {"x": 1}, []],
)
def test_wrong_values_are_refused(session, wrong):
    client = client_of(session)
    answer = client.post("/v1/live", content=json.dumps(wrong), headers={"content-type": "application/json"})
    assert answer.status_code == 422


def test_what_cannot_be_drawn_is_a_sentence_and_the_stream_lives_on(session, live):
    live.change(LiveChange(network="nothing"))
    live._draw()
    assert "must be one of" in live.state()["error"]
    live.change(LiveChange(network="plain"))
    live._draw()
    assert live.state()["error"] == ""
