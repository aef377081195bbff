"""The studio in a real browser, under load, and for a long time.

python benchmarks/studio.py [--network avatars64] [--moves 60] [--json out.json]
python benchmarks/studio.py --throughput [--clients 16]
python benchmarks/studio.py --soak 300 [--clients 16] [--leak]

The first needs the extra `studio`, playwright and chromium; the server and the browser share the cores of this machine.
--throughput compares the images per second of clients with those of the library itself, in turns within one run.
--soak calls everything for a while, and fails if memory, threads or open files grow, or an answer is unexpected;
--leak keeps every answer in the server, which the same check must find.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

if TYPE_CHECKING:
    from stylegan.studio import Session

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
# Moves the slider and waits until the canvas shows the image of the new place; milliseconds.
MOVE = """(value) => new Promise((done) => {
    const canvas = document.getElementById('canvas-a'), slider = document.getElementById('psi');
    const wanted = `${document.getElementById('seed').value} ${Number(value)}`, begin = performance.now();
    new MutationObserver((_, observer) => {
        if (canvas.dataset.shown !== wanted) return;
        observer.disconnect();
        requestAnimationFrame(() => done(performance.now() - begin));
    }).observe(canvas, {attributes: true, attributeFilter: ['data-shown']});
    slider.value = value;
    slider.dispatchEvent(new Event('input', {bubbles: true}));
})"""

# Counts the images that the page paints, in window.drawn.
COUNT = """() => {
    const paint = CanvasRenderingContext2D.prototype.drawImage;
    window.drawn = 0;
    CanvasRenderingContext2D.prototype.drawImage = function (...all) { window.drawn++; paint.apply(this, all); };
}"""

EXPECTED = (200, 202, 422, 429)  # 422 is asked for, 429 says that a queue is full
SETTLING = 0.4  # share of a soak before memory is judged: caches fill, and the heap finds its size
MB_PER_MINUTE = 1.0
SAMPLE_S = 0.25


# In a browser


def start(page: Any, url: str) -> float:
    """Return the seconds from opening the page to its first image."""
    begin = time.perf_counter()
    page.goto(url)
    page.wait_for_selector("body[data-ready]")
    page.wait_for_selector("#canvas-a[data-shown]")
    return time.perf_counter() - begin


def slider(page: Any, moves: int) -> list[float]:
    """Return the milliseconds of each move to a new place; none of the images is in the cache."""
    return [page.evaluate(MOVE, f"{-1 + 3 * (k * 0.618 % 1):.2f}") for k in range(moves)]


def walk(page: Any, seconds: float) -> float:
    """Return the images per second that a walk shows."""
    page.click("#walk")
    page.wait_for_timeout(1500)  # until it has found how many frames to ask for
    page.evaluate(COUNT)
    begin = time.perf_counter()
    page.wait_for_timeout(seconds * 1000)
    drawn = page.evaluate("window.drawn")
    rate = drawn / (time.perf_counter() - begin)
    page.click("#walk")
    return rate


def in_browser(network: str, moves: int, seconds: float) -> dict[str, Any]:
    """Measure the page with one network."""
    from playwright.sync_api import sync_playwright

    with serving(network) as (_, url), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        first, times = start(page, url), slider(page, moves)
        rate, again = walk(page, seconds), start(browser.new_page(), url)
        browser.close()
    return {
        "slider_ms_median": statistics.median(times),
        "slider_ms_p95": sorted(times)[int(0.95 * len(times))],
        "walk_images_per_s": rate,
        "first_image_s": first,
        "second_page_s": again,
    }


# Over HTTP


@contextmanager
def serving(network: str, **limits: Any) -> Iterator[tuple[Session, str]]:
    """Serve one network from another thread, as `stylegan serve` does; yields the session and the URL."""
    from stylegan.machine.memory import keep_freed_memory, share_memory_of_threads
    from stylegan.studio.limits import Limits
    from stylegan.studio.serve import bind, server, take_short_turns
    from stylegan.studio.session import Session

    keep_freed_memory()
    share_memory_of_threads()
    take_short_turns()
    bound = bind("127.0.0.1", 0)
    with Session({Path(network).name: network}, device="cpu", limits=Limits(**limits)) as session:
        running, url = server(session, bound)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            yield session, url
        finally:
            running.should_exit = True
            thread.join()


class Client:
    """A connection that stays open, as that of a browser does."""

    def __init__(self, url: str):
        host, _, port = url.removeprefix("http://").rstrip("/").partition(":")
        self.connection = http.client.HTTPConnection(host, int(port), timeout=60)

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Return the status and the content of an answer."""
        content = None if body is None else body if isinstance(body, bytes) else json.dumps(body)
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        self.connection.request(method, path, content, {} if body is None else {"content-type": kind})
        answer = self.connection.getresponse()
        return answer.status, answer.read()


def throughput(network: str, clients: int, rounds: int = 5, seconds: float = 4.0) -> dict[str, Any]:
    """Compare the images per second of clients with those of the library, in turns within one run.

    Both draw the same number of images at a time: as many as the studio draws together. The library draws one long
    series. The clients are a process of their own, as they are in reality, and ask for four images each.
    """
    from stylegan.sampling.generate import generate_images

    with serving(network) as (session, url):
        opened, together = session._open(network), session.limits.together
        command = [sys.executable, __file__, "--ask", url, "--clients", str(clients), "--network", network]
        pairs = []
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as asking:
            assert asking.stdin is not None
            assert asking.stdout is not None
            for number in range(rounds + 1):
                seeds = range(10**6 * number, 10**6 * (number + 1))
                begin, drawn = time.perf_counter(), 0
                with opened.threads():
                    for _ in generate_images(opened.fast, seeds, psi=0.7, batch=together):
                        drawn += 1
                        if time.perf_counter() - begin >= seconds:
                            break
                own = drawn / (time.perf_counter() - begin)
                asking.stdin.write(f"{seconds}\n")
                asking.stdin.flush()
                pairs.append((own, float(asking.stdout.readline())))
            asking.stdin.close()
    pairs = pairs[1:]  # the first round opens everything
    return {
        "clients": clients,
        "library_images_per_s": statistics.median(own for own, _ in pairs),
        "http_images_per_s": statistics.median(served for _, served in pairs),
        "http_to_library": statistics.median(served / own for own, served in pairs),
    }


def ask(url: str, network: str, clients: int) -> None:
    """Be the clients of `throughput`: for each line with seconds, print the images per second that came."""
    connections = [Client(url) for _ in range(clients)]
    seeds = iter(range(2 * 10**9, 4 * 10**9))

    def calls(client: Client, end: float) -> int:
        drawn = 0
        while time.perf_counter() < end:
            body = {"network": network, "seeds": [next(seeds) for _ in range(4)], "psi": 0.7}
            drawn += 4 * (client.call("POST", "/v1/generate", body)[0] == 200)
        return drawn

    with ThreadPoolExecutor(clients) as pool:
        for line in sys.stdin:
            begin = time.perf_counter()
            drawn = sum(pool.map(calls, connections, [begin + float(line)] * clients))
            print(drawn / (time.perf_counter() - begin), flush=True)


# For a long time


def mixed_calls(network: str, client: Client, chance: random.Random) -> Iterator[tuple[int, str]]:
    """Yield the status and the name of one call after another, of every kind, also wrong ones."""
    seed = lambda: chance.randrange(2**32)  # noqa: E731
    while True:
        kind = chance.choices(
            ["generate", "sheet", "walk", "mix", "wrong", "card", "live", "page", "loop", "left", "half"],
            [30, 8, 12, 4, 6, 4, 6, 4, 2, 4, 1],
        )[0]
        if kind == "generate":
            answer = client.call(
                "POST", "/v1/generate", {"network": network, "seeds": [seed()], "psi": chance.random()}
            )
        elif kind == "sheet":
            form = chance.choice(["png", "webp", "json", "npz"])
            body = {"network": network, "seeds": [seed() for _ in range(chance.randrange(1, 9))]}
            answer = client.call("POST", f"/v1/generate?format={form}", body)
        elif kind == "walk":
            answer = client.call("POST", "/v1/walk", {"network": network, "start": seed(), "step": 0.1, "frames": 8})
        elif kind == "mix":
            answer = client.call("POST", "/v1/mix", {"network": network, "rows": [seed()], "cols": [seed(), seed()]})
        elif kind == "wrong":
            answer = client.call("POST", "/v1/generate", {"network": network, "seeds": [-1]})
        elif kind == "card":
            answer = client.call("GET", chance.choice([f"/v1/networks/{network}", "/v1/networks", "/v1/health"]))
        elif kind == "live":
            answer = client.call("POST", "/v1/live", {"seed": float(seed()), "psi": chance.random()})
        elif kind == "page":
            answer = client.call("GET", chance.choice(["/", "/main.js", "/style.css", "/v1/openapi.json"]))
        elif kind == "loop":
            answer = client.call(
                "POST", "/v1/interpolate", {"network": network, "seeds": [seed(), seed()], "frames": 4}
            )
        elif kind == "left":  # a stream that is left again
            client.connection.request("GET", "/v1/stream?fps=60")
            reading = client.connection.getresponse()
            answer = reading.status, reading.read(2000)
            client.connection.close()
        else:  # a body that ends too early
            client.connection.putrequest("POST", "/v1/generate")
            client.connection.putheader("content-type", "application/json")
            client.connection.putheader("content-length", "100")
            client.connection.endheaders(b'{"network": ')
            client.connection.close()
            answer = 200, b""
        yield answer[0], kind


def usage() -> tuple[float, int, int]:
    """Return the resident memory in MB, the threads, and the open files of this process (Linux)."""
    status = Path("/proc/self/status").read_text()
    field = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if len(line.split()) > 1}
    return int(field["VmRSS"]) / 1024, int(field["Threads"]), len(os.listdir("/proc/self/fd"))


def slope_per_minute(times: list[float], values: list[float]) -> float:
    """Return how fast a value grows: the median slope between pairs of samples (Theil and Sen), so that steps of an
    allocator count little."""
    t, v = np.array(times), np.array(values)
    half = len(t) // 2
    return float(np.median((v[half : 2 * half] - v[:half]) / (t[half : 2 * half] - t[:half]))) * 60


def soak(network: str, clients: int, seconds: float, leak: bool) -> dict[str, Any]:
    """Call everything for a while, and return what grew; `wrong` lists what should not have."""
    name = Path(network).name
    answers: Counter[int] = Counter()
    kinds: Counter[str] = Counter()
    kept: list[bytes] = []
    lock, failures = threading.Lock(), []
    # Small caches are full before memory is judged.
    with serving(network, image_cache_bytes=1 << 20, w_cache_bytes=1 << 20, kept_jobs=4) as (session, url):
        if leak:
            _keep_every_image(session, kept)
        end = time.monotonic() + seconds

        def work(number: int) -> None:
            client = Client(url)
            try:
                for status, kind in mixed_calls(name, client, random.Random(number)):
                    with lock:
                        answers[status] += 1
                        kinds[kind] += 1
                    if time.monotonic() > end:
                        break
            except Exception as error:
                failures.append(f"a client failed with {type(error).__name__}: {error}")
            client.connection.close()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        times, samples = [], []
        while time.monotonic() < end:
            times.append(time.monotonic())
            samples.append(usage())
            time.sleep(SAMPLE_S)
        for thread in threads:
            thread.join(60)
    begin = int(len(times) * SETTLING)
    memory, running, files = zip(*samples[begin:], strict=True)
    third = max(len(running) // 3, 1)
    growth = slope_per_minute(times[begin:], list(memory))
    more_threads = statistics.median(running[-third:]) - statistics.median(running[:third])
    more_files = statistics.median(files[-third:]) - statistics.median(files[:third])
    unexpected = {status: n for status, n in answers.items() if status not in EXPECTED}
    wrong = [
        *failures,
        *([f"memory grows by {growth:.1f} MB a minute"] if growth > MB_PER_MINUTE else []),
        *([f"there are {more_threads:g} more threads"] if more_threads > 2 else []),
        *([f"there are {more_files:g} more open files"] if more_files > 4 else []),
        *([f"unexpected answers: {unexpected}"] if unexpected else []),
    ]
    return {
        "clients": clients,
        "seconds": seconds,
        "calls": sum(answers.values()),
        "answers": dict(sorted(answers.items())),
        "memory_mb": memory[-1],
        "memory_mb_per_minute": growth,
        "more_threads": more_threads,
        "more_files": more_files,
        "wrong": wrong,
    }


def _keep_every_image(session: Session, kept: list[bytes]) -> None:
    """Leak on purpose: keep a copy of what is drawn."""
    together: Callable[..., Any] = session._worker._draw_together

    def leaking(key: Any, parts: Any) -> Any:
        images = together(key, parts)
        kept.extend(each.numpy().tobytes() * 4 for each in images)
        return images

    session._worker._draw_together = leaking


@click.command()
@click.option("--network", default="avatars64", show_default=True)
@click.option("--moves", default=60, show_default=True)
@click.option("--seconds", default=5.0, show_default=True, help="Length of the walk.")
@click.option("--throughput", "compares", is_flag=True, help="Compare clients with the library.")
@click.option("--soak", "soak_s", type=float, help="Seconds to call everything.")
@click.option("--clients", default=16, show_default=True)
@click.option("--leak", is_flag=True, help="Leak on purpose, to see that the soak finds it.")
@click.option("--ask", "url", hidden=True, help="Be the clients of --throughput.")
@click.option("--json", "dest", type=click.Path(path_type=Path))
def main(
    network: str,
    moves: int,
    seconds: float,
    compares: bool,
    soak_s: float | None,
    clients: int,
    leak: bool,
    url: str | None,
    dest: Path | None,
) -> None:
    """Measure the studio with one network."""
    if url is not None:
        ask(url, network, clients)
        return
    result: dict[str, Any] = {"network": network, "load_before": os.getloadavg()[0], "cores": os.cpu_count()}
    if compares:
        result |= throughput(network, clients)
    elif soak_s is not None:
        result |= soak(network, clients, soak_s, leak)
    else:
        result |= in_browser(network, moves, seconds)
    for name, value in result.items():
        click.echo(f"{name:20} {round(value, 2) if isinstance(value, float) else value}")
    if dest is not None:
        dest.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if result.get("wrong"):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
