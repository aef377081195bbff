"""A client of the API, a studio that is served, and photos."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from stylegan.studio import Session

EXTRA = "pip install 'stylegan[studio]'"


def photo(size=(40, 30), mode="RGB", form="PNG"):
    values = np.random.RandomState(0).randint(0, 255, (*size[::-1], 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(values).convert(mode).save(file, form)
    file.seek(0)
    return file


def client_of(session: Session, **options):
    """Return a client that calls the app of a session without a network; used in `with`, it closes the session."""
    pytest.importorskip("fastapi", reason=EXTRA)
    testclient = pytest.importorskip("fastapi.testclient", reason="pip install httpx2")
    from stylegan.studio.app import create_app

    return testclient.TestClient(
        create_app(session, **options), base_url="http://localhost:7860", raise_server_exceptions=False
    )


@contextmanager
def serving(session: Session, **options) -> Iterator[str]:
    """Serve a session on a free port from another thread, and yield the start URL."""
    pytest.importorskip("fastapi", reason=EXTRA)
    pytest.importorskip("uvicorn", reason=EXTRA)
    from stylegan.studio.serve import bind, server

    bound = bind("127.0.0.1", 0)
    running, url = server(session, bound, **options)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [bound]})
    thread.start()
    try:
        yield url
    finally:
        running.should_exit = True
        thread.join(15)
        bound.close()
