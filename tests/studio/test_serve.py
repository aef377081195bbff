"""Serving: the address, and a shutdown that finishes what was begun."""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
from run_cli import run_cli
from studio_helpers import serving

from stylegan.cli.studio import offered
from stylegan.errors import OutputError

pytest.importorskip("fastapi", reason="pip install 'stylegan[studio]'")
pytest.importorskip("uvicorn", reason="pip install 'stylegan[studio]'")

from stylegan.studio.serve import bind, server


def get(url, headers=None):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=20) as answer:
        return answer.read().decode()


def test_the_page_and_the_api_answer_on_the_printed_address(limited):
    with serving(limited()) as url:
        assert "stylegan studio" in get(url)
        assert '"status":"ok"' in get(f"{url}v1/health")


def test_other_machines_need_the_token_of_the_start_url(session):
    bound = bind("0.0.0.0", 0)
    try:
        _, url = server(session, bound)
    finally:
        bound.close()
    _, token = url.split("/?token=")
    assert len(token) >= 32
    local = bind("127.0.0.1", 0)
    _, url = server(session, local)
    local.close()
    assert url.startswith("http://127.0.0.1:")
    assert "token" not in url


def test_an_address_that_is_taken_is_one_sentence():
    bound = bind("127.0.0.1", 0)
    port = bound.getsockname()[1]
    with pytest.raises(OutputError, match=f"cannot listen on 127.0.0.1, port {port}: .*; choose another"):
        bind("127.0.0.1", port)
    result = run_cli("serve", "--port", port)
    assert result.code == 1
    assert "choose another --host or --port" in result.err
    bound.close()
    with pytest.raises(OutputError, match="cannot listen on no.such.host.invalid"):
        bind("no.such.host.invalid", 0)


def test_ending_the_server_answers_what_waits_and_stops_jobs(limited):
    session = limited()
    session.warm()
    job = session._shelf.new("test", 10**6)

    def work():
        while True:
            time.sleep(0.01)
            job.report(job.step + 1)

    session._worker.start(job, work)
    answers = []
    with serving(session) as url:
        thread = threading.Thread(target=lambda: answers.append(get(f"{url}v1/networks/plain")))
        thread.start()
        thread.join(10)
        begin = time.monotonic()
    assert time.monotonic() - begin < 10
    assert '"plain"' in answers[0]
    assert job.state == "canceled"
    assert not session._shelf.folder.exists()


@pytest.mark.skipif(os.name == "nt", reason="SIGTERM is a POSIX signal")
def test_sigterm_ends_the_command_and_removes_its_files(networks, tmp_path):
    command = [
        sys.executable,
        "-m",
        "stylegan",
        "serve",
        "--network",
        networks["plain"],
        "--port",
        "0",
        "--device",
        "cpu",
    ]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            line = process.stdout.readline()
            assert line.startswith("Serving http://127.0.0.1:"), line
            assert '"plain"' in get(f"{line.split()[1]}v1/networks")
            assert list(tmp_path.iterdir())
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) in (0, -signal.SIGTERM)
        finally:
            process.kill()
    assert list(tmp_path.iterdir()) == []


def test_networks_are_named_by_their_folders_before_the_bundled_ones(tmp_path):
    from stylegan.models import bundled

    first, second = tmp_path / "a" / "cats", tmp_path / "b" / "cats"
    assert offered((first, second)) == {"cats": first, "cats-2": second, **{name: name for name in bundled()}}
    names = list(bundled())
    assert list(offered((bundled()[names[-1]],))) == [names[-1], *names[:-1]]


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn"])
def test_without_the_extra_one_sentence_says_what_to_install(monkeypatch, missing):
    for name in ("stylegan.studio.app", "stylegan.studio.serve"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    result = run_cli("studio", "--no-browser", "--port", "0")
    assert result.code == 1
    assert "pip install 'stylegan[studio]'" in result.err
