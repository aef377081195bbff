"""The Train tab in a browser: images are chosen and uploaded, and a run is trained, watched, stopped and resumed."""

import io
import zipfile

import pytest
from PIL import Image
from studio_helpers import photo, serving
from tiny_run import tiny_images

from stylegan.studio import Session

SLOW_MS = 90_000  # a training starts as a process of its own, on a machine that does other things too


@pytest.fixture(scope="module")
def url(networks, browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("studio")
    tiny_images(folder / "data" / "cats", count=12)
    with (
        Session(networks, device="cpu", runs=folder / "runs", data=folder / "data") as session,
        serving(session) as url,
    ):
        yield url


@pytest.fixture
def page(browser, url):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(SLOW_MS)
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{url}#train")
    page.wait_for_selector("body[data-ready]")
    page.wait_for_selector("#train-survey dd")
    yield page
    context.close()
    assert [text for text in wrong if "status of 4" not in text] == []


def zipped(count):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for i in range(count):
            archive.writestr(f"{i}.png", photo((40 + i, 30)).read())
        archive.writestr("notes.txt", "not an image")
    return file.getvalue()


def test_a_zip_is_uploaded_and_becomes_a_data_set(page):
    page.select_option("#train-size", "16")
    page.set_input_files("#train-upload", {"name": "pets.zip", "mimeType": "application/zip", "buffer": zipped(3)})
    page.wait_for_selector("#train-upload-state:has-text('3 images, 1 left out')")
    assert page.input_value("#train-data") == "pets 16.zip"
    assert "16×16" in page.inner_text("#train-survey")
    assert "notes.txt" in page.inner_text("#train-upload-state")


def test_a_late_answer_does_not_replace_a_newer_one(page):
    page.evaluate("""() => {
        const fetch = window.fetch;
        window.held = new Promise((isHeld) => {
            window.fetch = async (path, ...rest) => {
                const answer = await fetch(path, ...rest);
                const hold = (release) => { window.release = release; isHeld(); };
                if (path.endsWith("/data/cats")) await new Promise(hold);
                return answer;
            };
        });
    }""")
    page.select_option("#train-data", "cats")
    page.evaluate("() => window.held")
    with page.expect_response("**/data/sample%20faces"):
        page.select_option("#train-data", "sample faces")
    page.evaluate("() => { setTimeout(window.release, 100); return new Promise((done) => setTimeout(done, 400)); }")
    assert "64×64" in page.inner_text("#train-survey")


def test_a_training_is_planned_started_watched_stopped_and_resumed(page):
    page.select_option("#train-data", "cats")
    page.wait_for_selector("#train-problems:has-text('few images, 12')")
    page.select_option("#train-cfg", "tiny16")
    page.fill("#train-kimg", "100")
    page.click("#train-form summary")
    page.fill("#train-tick", "0.016")
    page.fill("#train-snap", "1")
    page.click("#train-check")
    page.wait_for_selector("#train-plan:has-text('about')")
    assert "--cfg tiny16 --kimg 100 --tick 0.016 --snap 1" in page.inner_text("#train-command")
    page.click("#train-start")
    page.wait_for_selector("#train-badge[data-state='running']")
    page.wait_for_selector("#train-charts figure:has-text('Loss')")
    page.wait_for_selector("#train-grid[src^='blob:']")
    page.click("#train-stop")
    page.wait_for_selector("#train-badge[data-state='stopped']")
    page.click("#train-resume")
    page.wait_for_selector("#train-badge[data-state='running']")
    page.click("#train-stop")
    page.wait_for_selector("#train-badge[data-state='stopped']")
    name = page.inner_text("#train-title")
    page.click("#train-draw")  # the snapshot is a network of the studio
    page.wait_for_selector(f"#explore figcaption:has-text('{name} @ ')")
    with page.expect_download() as download:
        page.click("#explore-png")
    with Image.open(download.value.path()) as image:
        assert image.size == (16, 16)


def test_the_tab_fits_narrow_and_wide_pages(page):
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
