"""Training from the studio: names instead of paths, checked uploads, and one process that is watched and ended."""

import io
import os
import signal
import sys
import time
import zipfile
from urllib.parse import quote

import pytest
from file_size_limit import file_size_limit
from studio_helpers import client_of, photo
from test_api import ended
from tiny_run import tiny_config, tiny_images

from stylegan.studio import Session, training
from stylegan.studio.limits import Limits
from stylegan.studio.requests import Train
from stylegan.training.run import new_run_folder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

BODY = {"content-type": "application/octet-stream"}
CATS = {"data": "cats", "cfg": "tiny16", "kimg": 1.0}
WAITS = "import time; time.sleep(60)"
HOLDS = """
import fcntl, os, platform, sys, time
file = open(sys.argv[1] + "/.lock", "w")
fcntl.flock(file, fcntl.LOCK_EX)
file.write(f"process {os.getpid()} on {platform.node()}")
file.flush()
print("locked", flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    tiny_images(folder / "data" / "cats", count=12)
    tiny_images(folder / "data" / "mixed" / "a", count=3, size=8)
    tiny_images(folder / "data" / "mixed" / "b", count=3, size=16)
    (folder / "data" / ".hidden").mkdir()
    (folder / "secret.zip").write_bytes(b"x")
    return folder


@pytest.fixture
def session(networks, folder):
    limits = Limits(data_bytes=20_000)
    with Session(networks, device="cpu", runs=folder / "runs", data=folder / "data", limits=limits) as session:
        yield session


@pytest.fixture
def client(session):
    return client_of(session)


@pytest.fixture
def program(monkeypatch):
    """Return a function that replaces `stylegan train` by some Python."""

    def replace(code, *arguments):
        monkeypatch.setattr(training, "PROGRAM", (sys.executable, "-c", code, *arguments))

    return replace


def a_run(folder):
    return new_run_folder(folder / "runs", tiny_config(folder / "data" / "cats"), "cats")


def zipped(**files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def until(trainer, *states):
    end = time.monotonic() + 20
    while (state := trainer.state())["state"] not in states:
        assert time.monotonic() < end, state
        time.sleep(0.05)
    return state


def test_data_sets_are_offered_by_name_and_surveyed(client):
    names = {one["name"]: one["kind"] for one in client.get("/v1/data").json()}
    assert {"sample faces", "cats", "mixed"} <= names.keys()
    assert not any("hidden" in name or "secret" in name for name in names)
    cats = client.get("/v1/data/cats").json()
    assert (cats["images"], cats["sizes"], cats["channels"], cats["ready"]) == (12, [[16, 16, 12]], 3, True)
    mixed = client.get("/v1/data/mixed").json()
    assert not mixed["ready"]
    assert "The images have 2 sizes: 8x8 (3), 16x16 (3)." in mixed["problems"]


@pytest.mark.parametrize("name", ["../secret.zip", "..", ".hidden", "/etc", "cats/..", "", "cats\0", "c" * 199, "~"])
def test_no_name_leads_out_of_the_folder(client, name):
    answer = client.post("/v1/train/plan", json={**CATS, "data": name})
    assert answer.status_code == 422
    assert "there is no data set" in answer.json()["error"]
    if name:
        assert client.get(f"/v1/data/{quote(name, safe='')}").status_code in (404, 422)
    assert client.get("/v1/runs/..%2f..").status_code in (404, 422)


@pytest.mark.parametrize("name", ["../x", "a/b", ".x", "x\0", " ", "-rf", "cats"])
def test_names_of_new_data_sets_are_words(client, name):
    answer = client.post("/v1/data", params={"name": name, "resolution": 16}, content=b"", headers=BODY)
    assert answer.status_code == 422, answer.text


def test_an_upload_becomes_a_data_set_and_says_what_was_left_out(client, folder):
    content = zipped(**{"a.png": photo().read(), "b.png": b"broken", "../../evil.png": photo().read()})
    answer = client.post("/v1/data?name=pets&resolution=16", content=content, headers=BODY)
    job = ended(client, answer.json()["id"])
    assert (job["state"], job["facts"]["left_out"]) == ("done", 2 if job["facts"]["images"] == 1 else 1)
    assert "b.png: it is" in job["facts"]["reasons"]
    assert client.get("/v1/data/pets.zip").json()["ready"]
    assert sorted(path.name for path in (folder / "runs" / "data").iterdir()) == ["pets.zip"]
    again = client.post("/v1/data?name=pets&resolution=16", content=content, headers=BODY)
    assert again.status_code == 422
    assert "already" in again.json()["error"]


@pytest.mark.parametrize(
    "content", [b"", b"text", zipped(a=b"x"), zipped(**{"a.png": bytes(10**7)}), b"PK\x03\x04" * 50]
)
def test_uploads_without_images_fail_with_a_sentence_and_leave_nothing(client, session, folder, content):
    answer = client.post("/v1/data?name=nothing&resolution=16", content=content, headers=BODY)
    job = ended(client, answer.json()["id"])
    assert job["state"] == "failed"
    assert job["error"].endswith(".")
    assert not (folder / "runs" / "data" / "nothing.zip").exists()
    assert not any(path.name == "upload.zip" for path in session._shelf.folder.rglob("*"))


def test_uploads_are_bounded_one_by_one_and_together(client, session, monkeypatch):
    big = client.post("/v1/data?name=big&resolution=16", content=bytes(20_001), headers=BODY)
    assert big.status_code == 413
    chunks = (bytes(5000) for _ in range(10))
    assert client.post("/v1/data?name=big&resolution=16", content=chunks, headers=BODY).status_code == 413
    monkeypatch.setattr(session.trainer.data, "limits", Limits(data_bytes=20_000, all_data_bytes=10_000))
    full = client.post("/v1/data?name=big&resolution=16", content=b"", headers=BODY)
    assert full.status_code == 507
    assert session._shelf.all() == []


def test_a_full_disk_is_a_sentence_and_the_studio_still_works(client):
    with file_size_limit(3000):
        answer = client.post("/v1/data?name=full&resolution=16", content=bytes(15_000), headers=BODY)
    assert answer.status_code == 507
    assert "the upload cannot be kept" in answer.json()["error"]
    with file_size_limit(10):
        body = {"network": "plain", "seeds": [0, 1], "frames": 3}
        job = ended(client, client.post("/v1/interpolate", json=body).json()["id"])
    assert (job["state"], job["files"]) == ("failed", [])
    assert job["error"]
    assert client.post("/v1/generate", json={"network": "plain", "seeds": [5]}).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"cfg": "none"},
        {"cfg": "cpu64"},
        {"kimg": 0},
        {"kimg": "1"},
        {"kimg": -1.0},
        {"labels": True},
        {"start_from": "nothing"},
        {"tick_kimg": 0.0},
        {"snap_ticks": 0},
        {"augment": "../x"},
        {"outdir": "/tmp"},
    ],
)
def test_impossible_trainings_are_refused_before_anything_starts(client, folder, wrong):
    before = set((folder / "runs").glob("0*")) if (folder / "runs").exists() else set()
    for call in ("/v1/train/plan", "/v1/train"):
        answer = client.post(call, json={**CATS, **wrong})
        assert answer.status_code == 422, answer.text
    assert client.get("/v1/train").json()["state"] == "idle"
    assert before == (set((folder / "runs").glob("0*")) if (folder / "runs").exists() else set())


def test_a_plan_says_what_a_training_needs_and_its_command(client):
    plan = client.post("/v1/train/plan", json={**CATS, "mirror": True}).json()
    assert (plan["images"], plan["resolution"], plan["batch"], plan["problem"]) == (24, 16, 8, None)
    assert plan["seconds"] == pytest.approx(plan["seconds_per_kimg"])
    assert plan["memory_bytes"] > 1e8
    assert plan["command"].startswith("stylegan train --outdir ")
    assert plan["command"].endswith(" --cfg tiny16 --kimg 1 --mirror --device cpu")


def test_one_training_runs_at_a_time_and_ends_with_the_studio(session, client, program):
    program(WAITS)
    assert client.post("/v1/train", json=CATS).json()["state"] == "starting"
    process = session.trainer._process
    assert os.getpriority(os.PRIO_PROCESS, process.pid) == 10
    refused = client.post("/v1/train", json=CATS)
    assert refused.status_code == 429
    assert "a training runs already" in refused.json()["error"]
    session.close()
    assert process.poll() == -signal.SIGTERM


def test_a_training_that_is_kept_outlives_the_studio(session, program):
    program(WAITS)
    session.trainer.start(Train(**CATS, keep=True))
    process = session.trainer._process
    session.close()
    try:
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_a_training_that_is_killed_or_fails_says_so_and_another_can_start(session, client, program):
    program(WAITS)
    client.post("/v1/train", json=CATS)
    session.trainer._process.kill()
    assert "ended by SIGKILL" in until(session.trainer, "failed")["error"]
    program("print('first'); raise SystemExit('the disk is full.')")
    assert client.post("/v1/train", json=CATS).status_code == 202
    assert until(session.trainer, "failed")["error"] == "the disk is full."
    program("print('done')")
    assert client.post("/v1/train", json=CATS).status_code == 202
    assert until(session.trainer, "finished")["error"] is None


def test_a_training_that_was_started_elsewhere_is_shown_and_stopped(session, client, folder, program):
    import subprocess

    run = a_run(folder)
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(run)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"locked\n"
        assert client.get("/v1/train").json()["run"] == run.name
        assert client.post("/v1/train", json=CATS).status_code == 429
        assert client.delete("/v1/train").status_code == 200
        assert process.wait(10) == -signal.SIGTERM
    assert client.get("/v1/train").json()["state"] == "idle"  # the lock went with the process
    assert client.get(f"/v1/runs/{run.name}").json()["kimg"] == 0.0


def test_a_damaged_run_does_not_hide_the_others(client, folder):
    run = a_run(folder)
    (run / "config.json").write_text("{")
    (run / "stats.jsonl").write_text('{"nimg": 1000, "Timing/sec_per_kimg": {"mean": 1.0}}\n{"nimg"')
    (run / "snapshots" / "000001").mkdir()
    one = next(one for one in client.get("/v1/runs").json() if one["name"] == run.name)
    assert (one["kimg"], one["network"]) == (1.0, None)
    assert client.get(f"/v1/runs/{run.name}/grids/..%2fconfig.json").status_code in (404, 422)
    assert client.get(f"/v1/runs/{run.name}/grids/config.json").status_code == 422


def test_a_studio_without_runs_does_not_train(networks):
    with Session(networks, device="cpu") as session:
        client = client_of(session)
        assert client.get("/v1/train").status_code == 404
        assert client.post("/v1/train", json=CATS).status_code == 404
