"""Small networks, a session, a client of the API, and a page in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from golden import fill
from studio_helpers import client_of
from tiny_generator import tiny_generator

from stylegan.checkpoints import Checkpoint, save
from stylegan.networks import stylegan3
from stylegan.studio import Session
from stylegan.studio.limits import Limits


@pytest.fixture(scope="session")
def networks(tmp_path_factory) -> dict[str, object]:
    """Return the folders of three networks of 16 px: without labels, with classes, and a StyleGAN3-R."""
    folder = tmp_path_factory.mktemp("networks")
    pets = tiny_generator(c_dim=3)
    pets.class_names = ["cat", "dog", "fish"]
    size = {"num_layers": 4, "channel_base": 128, "channel_max": 16, "output_scale": 1.0}
    alias_free = fill(stylegan3.Generator(16, 0, 16, 16, 3, conv_kernel=1, use_radial_filters=True, **size))
    for name, G in (("plain", tiny_generator()), ("pets", pets), ("moving", alias_free)):
        save(Checkpoint(G_ema=G, licence="CC0-1.0", origin="invented"), folder / name)
    return {name: folder / name for name in ("plain", "pets", "moving")}


@pytest.fixture(scope="module")
def session(networks) -> Iterator[Session]:
    with Session(networks, device="cpu") as session:
        yield session


@pytest.fixture
def limited(networks) -> Iterator[Callable[..., Session]]:
    """Return a function that makes a session with other limits."""
    made = []

    def make(**limits) -> Session:
        made.append(Session(networks, device="cpu", limits=Limits(**limits)))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def client(session):
    with client_of(session) as client:
        yield client


@pytest.fixture(scope="session")
def browser():
    """Yield a browser, or skip visibly where none is installed."""
    api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("these tests need chromium, for example: apt-get install chromium")
    with api.sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        launched = playwright.chromium.launch(executable_path=program, args=flags)
        yield launched
        launched.close()
