"""The guard: other sites, other hosts and other machines reach nothing."""

import pytest
from studio_helpers import client_of

PLAIN = {"network": "plain", "seeds": [3]}


@pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1", "[::1]:7860", "LOCALHOST"])
def test_names_of_this_machine_are_served(client, host):
    assert client.get("/v1/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:7860",
        "localhost.evil.example",
        "192.168.1.5",
        "",
        "127.0.0.1.nip.io",
        "[::1",
        "a@b",
    ],
)
def test_other_host_names_are_refused_on_every_path(client, host):
    for path in ("/", "/v1/health", "/v1/openapi.json"):
        answer = client.get(path, headers={"host": host})
        assert answer.status_code == 421
        assert answer.json()["error"]


def test_further_names_can_be_allowed(session):
    client = client_of(session, hosts=["studio.example"])
    assert client.get("/v1/health", headers={"host": "studio.example"}).status_code == 200
    assert client.get("/v1/health").status_code == 421


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://localhost:3000",
        "http://localhost",
        "https://localhost.evil.example",
        "file://",
        "http://[",
        "",
    ],
)
def test_changes_from_other_pages_are_refused(client, session, origin):
    for call in (
        lambda headers: client.post("/v1/generate", json=PLAIN, headers=headers),
        lambda headers: client.delete("/v1/jobs/x", headers=headers),
        lambda headers: client.post("/v1/project?network=plain", content=b"", headers=headers),
    ):
        assert call({"origin": origin, "content-type": "application/json"}).status_code == 403


def test_changes_from_the_own_page_and_from_programs_pass(client):
    assert client.post("/v1/generate", json=PLAIN, headers={"origin": "http://localhost:7860"}).status_code == 200
    assert client.post("/v1/generate", json=PLAIN).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_sites_read_nothing(client, site):
    assert client.get("/v1/networks", headers={"sec-fetch-site": site}).status_code == 403
    assert client.post("/v1/generate", json=PLAIN, headers={"sec-fetch-site": site}).status_code == 403
    assert client.get("/", headers={"sec-fetch-site": site}).status_code == 200  # a link to the studio works


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_content_types_that_a_form_can_send_are_refused(client, kind):
    headers = {"content-type": kind}
    assert (
        client.post("/v1/generate", content=b'{"network": "plain", "seeds": [1]}', headers=headers).status_code == 415
    )
    assert client.post("/v1/project?network=plain", content=b"x", headers=headers).status_code == 415


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/%2e%2e/errors.py",
        "/..%2ferrors.py",
        "/style.css/../../app.py",
        "/page/index.html",
        "/app.py",
        "/etc/passwd",
        "/v1/networks/..%2f..%2fetc",
        "/v1/networks/%00",
        "/v1/jobs/..%2f..",
        "/v1/jobs/x/files/..%2f..%2fetc%2fpasswd",
        "//etc/passwd",
    ],
)
def test_paths_lead_nowhere_but_to_the_known_files(client, path):
    answer = client.get(path)
    assert answer.status_code == 404, answer.text
    assert "import" not in answer.text


def test_files_of_a_job_are_those_that_it_left(client, session):
    job = session._shelf.new("test", 1)
    job.file("secret").write_text("x")
    job.end("done")
    for name in ("secret", "%2e%2e", "%2e%2e%2fsecret"):
        assert client.get(f"/v1/jobs/{job.id}/files/{name}").status_code == 404


@pytest.mark.parametrize("path", ["/", "/main.js", "/style.css", "/v1/health", "/nothing"])
def test_every_answer_forbids_frames_inline_scripts_and_guessed_types(client, path):
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


def test_refusals_have_the_same_headers(client):
    assert "frame-ancestors 'none'" in client.get("/", headers={"host": "x.y"}).headers["content-security-policy"]


@pytest.mark.parametrize("length", ["-1", "1e3", "x", "9" * 30])
def test_lengths_that_are_no_numbers_are_refused(client, length):
    headers = {"content-length": length, "content-type": "application/json"}
    assert client.post("/v1/generate", content=b"{}", headers=headers).status_code == 400


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(client, method):
    assert client.request(method, "/v1/generate").status_code in (405, 415)


@pytest.mark.parametrize("path", ["/", "/v1/generate", "/v1/live", "/nothing"])
def test_other_websockets_are_closed(client, path):
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), client.websocket_connect(path, headers={"host": "localhost"}):
        pass


class TestToken:
    """A studio that other machines can reach."""

    TOKEN = "correct-horse"

    @pytest.fixture
    def remote(self, session):
        return client_of(session, token=self.TOKEN)

    def test_nothing_is_served_without_it(self, remote):
        for path in ("/", "/main.js", "/v1/health", "/v1/openapi.json", "/?token=wrong", "/?token="):
            assert remote.get(path).status_code == 401
        wrong = (
            {"authorization": "Bearer x"},
            {"authorization": self.TOKEN},
            {"cookie": "stylegan_token=x"},
            {"cookie": '="; é'.encode()},
        )
        for headers in wrong:
            assert remote.get("/v1/health", headers=headers).status_code == 401

    def test_the_start_url_sets_a_cookie_that_no_other_site_sends(self, remote):
        answer = remote.get(f"/?token={self.TOKEN}", follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert remote.get("/v1/health", headers={"cookie": cookie.partition(";")[0]}).status_code == 200

    def test_programs_send_it_as_a_header(self, remote):
        assert remote.get("/v1/health", headers={"authorization": f"Bearer {self.TOKEN}"}).status_code == 200

    def test_addresses_are_known_but_names_are_not(self, remote):
        headers = {"authorization": f"Bearer {self.TOKEN}"}
        assert remote.get("/v1/health", headers={**headers, "host": "192.168.1.5:7860"}).status_code == 200
        assert remote.get("/v1/health", headers={**headers, "host": "evil.example"}).status_code == 421
