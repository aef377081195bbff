"""Attacks on the API: values, files and edges. Each gets one sentence, nothing is run, and the studio works on."""

import json
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
from attacks import EDGES, NOT_FINITE, PARAMETERS, direction_files, latent_files
from golden import R
from studio_helpers import client_of
from test_api import PLAIN, WRONG
from tiny_generator import tiny_generator

from stylegan.checkpoints import Checkpoint, save
from stylegan.editing.direction_file import save_directions
from stylegan.editing.directions import Direction
from stylegan.sampling.latent import space_of
from stylegan.studio import Session
from stylegan.studio.limits import Limits

for room in ("data", "checkpoints"):
    sys.path.append(str(Path(__file__).parents[1] / room))  # their corpora of hostile files
import hostile_archives  # noqa: E402
import hostile_images  # noqa: E402
import hostile_pickles  # noqa: E402

JSON = {"content-type": "application/json"}
FILE = {"content-type": "application/octet-stream"}


@pytest.fixture(scope="module")
def client(networks, tmp_path_factory):
    """A client of a studio with a further network "tuned", whose "plain" has a direction "own0"."""
    folder = tmp_path_factory.mktemp("more")
    G, tuned = tiny_generator(), tiny_generator()
    tuned.synthesis.b16.conv1.weight.add_(R(1, list(tuned.synthesis.b16.conv1.weight.shape)))
    for name, network in (("plain", G), ("tuned", tuned)):
        save(Checkpoint(G_ema=network), folder / name)
    own = Direction(name="own0", vector=torch.eye(16)[0], deviation=0.3, space=space_of(G), method="test")
    save_directions([own], folder / "plain" / "directions.npz")
    sources = {**networks, "plain": folder / "plain", "tuned": folder / "tuned"}
    limits = Limits(jobs=1000, added=3)
    with Session(sources, device="cpu", limits=limits) as session, client_of(session) as client:
        client.session = session
        yield client


@pytest.fixture
def files():
    G = tiny_generator()
    return {"/v1/latents?network=plain": latent_files(), "/v1/directions?network=plain": direction_files(space_of(G))}


@cache
def images() -> list:
    """Every third bad image of the data sets' corpus; those that only have a wrong name are none here."""
    bad = [case for case in hostile_images.cases() if isinstance(case.make, bytes) and case.reason]
    return [case for case in bad if not case.name.startswith(("disguises/", "names/"))][::3]


@cache
def checkpoints() -> dict[str, bytes]:
    """A hostile pickle for each guard that refuses one, those that run code under stock pickle first, and archives."""
    found = {}
    for case in sorted(hostile_pickles.hostile(), key=lambda case: not case.live):
        if case.limits == hostile_pickles.DEFAULT and len(case.data) < 1_000_000:
            found.setdefault(f"guard {case.guard}", case.data)
    archives = {f"archive {case.name}": case.content for case in hostile_archives.cases()[::6]}
    zips = {name: content for name, content in archives.items() if len(content) < 1_000_000}
    others = {
        "empty": b"",
        "text": b"hello",
        "page": b"<html>",
        "lfs": b"version https://git-lfs",
        "gzip": b"\x1f\x8b" + bytes(99),
    }
    tensors = {
        "safetensors": (2).to_bytes(8, "little") + b"{}",
        "header of an exabyte": (2**60).to_bytes(8, "little") + b"{}",
    }
    return {**found, **zips, **others, **tensors}


def refused(answer):
    assert answer.status_code in (400, 413, 422), answer.text
    sentence = answer.json()["error"]
    assert sentence.rstrip(")").endswith("."), sentence
    assert len(answer.content) < 3000
    return sentence


@pytest.mark.parametrize("call", PARAMETERS)
def test_wrong_values_are_refused_with_a_sentence_and_start_nothing(client, call):
    jobs, latents = len(client.get("/v1/jobs").json()), len(client.get("/v1/latents").json())
    for body in PARAMETERS[call]:
        answer = client.post(f"/v1/{call}", content=json.dumps(body), headers=JSON)
        assert answer.status_code == 422, (body, answer.text[:300])
        refused(answer)
    assert len(client.get("/v1/jobs").json()) == jobs
    assert len(client.get("/v1/latents").json()) == latents


@pytest.mark.parametrize("call", NOT_FINITE)
def test_numbers_that_are_not_finite_are_refused_and_not_repeated(client, call):
    for value in ("NaN", "Infinity", "-Infinity", "1e999", "-1e999"):
        answer = client.post(f"/v1/{call}", content=NOT_FINITE[call].replace("X", value), headers=JSON)
        assert answer.status_code == 422, answer.text
        assert "nan" not in refused(answer).lower()


@pytest.mark.parametrize("call", sorted({edge.call for edge in EDGES}))
def test_values_at_the_edge_are_accepted_and_those_beyond_are_not(client, call):
    for edge in (edge for edge in EDGES if edge.call == call):
        answer = client.post(f"/v1/{call}", json=edge.body)
        assert answer.status_code == edge.status, (edge, answer.text[:300])
        if answer.status_code == 202:
            client.delete(f"/v1/jobs/{answer.json()['id']}")


def test_files_that_are_no_latents_and_no_directions_are_refused_and_run_nothing(client, files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path, contents in files.items():
        for name, content in contents.items():
            answer = client.post(path, content=content, headers=FILE)
            assert answer.status_code == 422, (name, answer.text[:300])
            assert "/tmp" not in refused(answer), name  # the place of the upload is not shown
    assert client.get("/v1/latents").json() == []
    assert list(tmp_path.iterdir()) == []


def test_hostile_checkpoints_are_refused_and_run_nothing(client, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, content in checkpoints().items():
        answer = client.post("/v1/networks?name=evil.pkl", content=content, headers=FILE)
        assert answer.status_code == 422, (name, answer.text[:300])
        assert "the uploaded file" in refused(answer), (name, answer.text)
    assert list(tmp_path.iterdir()) == []
    assert all(not network["added"] for network in client.get("/v1/networks").json())
    assert list((client.session._shelf.folder / "networks").iterdir()) == []


def test_bad_images_are_refused(client):
    for case in images():
        answer = client.post("/v1/project?network=plain", content=case.make, headers={"content-type": "image/png"})
        assert answer.status_code == 422, (case.name, answer.text[:300])
        assert refused(answer).startswith("the uploaded file cannot be used: it"), case.name


@pytest.mark.parametrize(
    "path", ["/v1/latents?network=none", "/v1/directions?network=none", "/v1/latents", "/v1/directions"]
)
def test_uploads_for_no_network_are_refused(client, path):
    refused(client.post(path, content=b"x", headers=FILE))


def test_files_beyond_their_limits_are_refused(networks, limited):
    small = limited(upload_bytes=3000, unpacked_bytes=1000, checkpoint_bytes=2000)
    client = client_of(small)
    for path in ("/v1/latents?network=plain", "/v1/directions?network=plain", "/v1/networks"):
        assert client.post(path, content=bytes(3001), headers=FILE).status_code == 413
    bomb = latent_files()["65 latents"].ljust(2999, b"\0")[:2999]
    assert client.post("/v1/latents?network=plain", content=bomb, headers=FILE).status_code == 422
    chunks = (bytes(1000) for _ in range(5))  # without a stated length
    assert client.post("/v1/networks", content=chunks, headers=FILE).status_code == 413
    assert list((small._shelf.folder / "networks").iterdir()) == []


def test_the_attacks_are_many(files, capsys):
    values = sum(map(len, PARAMETERS.values())) + 5 * len(NOT_FINITE) + sum(map(len, WRONG.values()))
    uploads = len(images()) + len(checkpoints()) + sum(map(len, files.values()))
    with capsys.disabled():
        print(f"\n{values} wrong values, {uploads} bad files, {len(EDGES)} values at an edge")
    assert values >= 320
    assert uploads >= 150
    assert len(EDGES) >= 80


def test_the_studio_works_on(client):
    assert client.post("/v1/generate", json=PLAIN).status_code == 200
    assert client.get("/v1/health").json()["calls"] == 0
