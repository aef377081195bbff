"""The studio in a real browser: from a slider to the new image, the rate of a walk, and the start of the page.

python benchmarks/studio.py [--network avatars64] [--moves 60] [--json out.json]

It needs the extra `studio`, playwright and chromium. The server and the browser share the cores of this machine.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import threading
import time
from pathlib import Path

import click
from playwright.sync_api import Page, sync_playwright

from stylegan.studio.serve import bind, server
from stylegan.studio.session import Session

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


def start(page: Page, url: str) -> float:
    """Return the seconds from opening the page to its first image."""
    begin = time.perf_counter()
    page.goto(url)
    page.wait_for_selector("body[data-ready]")
    page.wait_for_selector("#canvas-a[data-shown]")
    return time.perf_counter() - begin


def slider(page: Page, moves: int) -> list[float]:
    """Return the milliseconds of each move to a new place; none of the images is in the cache."""
    return [page.evaluate(MOVE, f"{-1 + 3 * (k * 0.618 % 1):.2f}") for k in range(moves)]


def walk(page: Page, seconds: float) -> float:
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


@click.command()
@click.option("--network", default="avatars64", show_default=True)
@click.option("--moves", default=60, show_default=True)
@click.option("--seconds", default=5.0, show_default=True, help="Length of the walk.")
@click.option("--json", "dest", type=click.Path(path_type=Path))
def main(network: str, moves: int, seconds: float, dest: Path | None) -> None:
    """Measure the studio with one network."""
    load = os.getloadavg()[0]
    bound = bind("127.0.0.1", 0)
    with Session({network: network}, device="cpu") as session, sync_playwright() as playwright:
        running, url = server(session, bound)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [bound]})
        thread.start()
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        first, times = start(page, url), slider(page, moves)
        rate, again = walk(page, seconds), start(browser.new_page(), url)
        browser.close()
        running.should_exit = True
        thread.join()
    result = {
        "network": network,
        "load_before": load,
        "cores": os.cpu_count(),
        "slider_ms_median": statistics.median(times),
        "slider_ms_p95": sorted(times)[int(0.95 * len(times))],
        "walk_images_per_s": rate,
        "first_image_s": first,
        "second_page_s": again,
    }
    for name, value in result.items():
        click.echo(f"{name:20} {value if isinstance(value, (str, int)) else round(value, 2)}")
    if dest is not None:
        dest.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
