"""Download one file over HTTPS: it can be resumed, is verified, and has its name only once it is complete.

The bytes that have arrived are in a hidden file beside the final one, which ends in `.part`. Another, `.etag`, names
the version that they belong to; the server sends the rest only of that version.
"""

from __future__ import annotations

import errno
import http.client
import os
import shutil
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from stylegan.errors import DownloadError, OutputError
from stylegan.files.checksums import sha256_of

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

_CHUNK = 1 << 18
_MOST = 1 << 36  # bytes; an endless answer must not fill the disk
_PERMANENT = (400, 401, 403, 404, 405, 410)  # answers that a repetition does not change


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A file on a server. What is known of it is verified."""

    url: str
    bytes: int | None = None  # its size; None if unknown
    sha256: str | None = None  # of its content, in hexadecimal; None if unknown


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Limits of a download."""

    schemes: tuple[str, ...] = ("https",)  # of the URL and of every redirection
    timeout_s: float = 30  # without an answer, or for less than `least_bytes`
    least_bytes: int = 1 << 15  # to arrive in `timeout_s`; a slower server counts as stalled
    tries: int = 4
    pause_s: float = 1  # before the second try; doubled after each


HTTPS = Rules()


def size_of(remote: Remote, rules: Rules = HTTPS) -> int | None:
    """Return the size of a file, by asking for its first byte if it is not known; None if the server does not say.

    Raises: DownloadError if the server cannot be reached or does not have it.
    """
    if remote.bytes is not None:
        return remote.bytes
    try:
        with _request(remote.url, rules, {"Range": "bytes=0-0"}) as response:
            return _announced(response)
    except (HTTPError, URLError, OSError, http.client.HTTPException) as error:
        _refuse(error, remote.url)
        return None


def download(remote: Remote, path: Path, rules: Rules = HTTPS) -> Iterator[int]:
    """Download a file to `path`; yields the number of bytes that have arrived, including those of an earlier try.

    A download that was interrupted is resumed where the server allows it and the file is still the same one.

    Raises: DownloadError if the server cannot be reached, sends another file, or stalls or cuts the connection in
        every try; what has arrived is kept for the next call. OutputError if `path` cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    problem = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as file, _alone(file, path):
            for attempt in range(rules.tries):
                if attempt:
                    time.sleep(rules.pause_s * 2 ** (attempt - 1))
                try:
                    yield from _receive(remote, file, part, rules)
                    break
                except _Interrupted as error:
                    problem = str(error)
                    if isinstance(error, _Restart):
                        _emptied(file)
            else:
                raise DownloadError(
                    f"{remote.url} {problem}, tried {rules.tries} times; the {_size(part)} MB that arrived are kept, "
                    "repeat the command to resume."
                )
            file.flush()
            os.fsync(file.fileno())
        _verify(remote, part)
        os.replace(part, path)
        _etag(part).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; choose another place.") from error


class _Interrupted(Exception):
    """Raised when a connection ends early; the message continues a sentence that begins with the URL."""


class _Restart(_Interrupted):
    """Raised when what has arrived is of no use."""


def _receive(remote: Remote, file: IO[bytes], part: Path, rules: Rules) -> Iterator[int]:
    """Add to `file` what it lacks. Raises: _Interrupted if the connection ends before the file is complete."""
    have = file.seek(0, os.SEEK_END)
    version = _etag(part).read_text(encoding="ascii") if _etag(part).is_file() else None
    if have and version is None and remote.sha256 is None:  # nothing would show that the rest is of another file
        have = _emptied(file)
    if have and have == remote.bytes:
        return
    headers = {"Range": f"bytes={have}-", **({"If-Range": version} if version else {})} if have else {}
    with _interruptions(remote.url), _request(remote.url, rules, headers) as response:
        expected = remote.bytes or _announced(response)
        if have and response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            if expected == have:
                return
            raise _Restart("has another size now")
        if have and not _continues(response, have, version):
            if response.status == HTTPStatus.PARTIAL_CONTENT:
                raise _Restart("sent another part of the file than was asked for")
            have = _emptied(file)
        if not have:
            _start(remote, response, part)
        for chunk in _chunks(response, rules):
            have += len(chunk)
            if have > (expected or _MOST):
                raise DownloadError(f"{remote.url} sends more than the expected {expected or _MOST} bytes; it changed.")
            with _disk():
                file.write(chunk)
            yield have
    if expected is not None and have < expected:
        raise _Interrupted(f"was cut off after {have} of {expected} bytes")


def _start(remote: Remote, response: Any, part: Path) -> None:
    """Check the answer that sends a whole file, and keep its version. Raises: DownloadError if it is not that file."""
    announced = _announced(response)
    if remote.bytes is not None and announced not in (None, remote.bytes):
        raise DownloadError(
            f"{remote.url} has {announced} bytes, expected {remote.bytes}; the file was replaced, do not use it."
        )
    if response.headers.get_content_type() == "text/html":
        raise DownloadError(f"{remote.url} is a web page, expected a file; open it in a browser to see what it says.")
    if announced is None and not response.chunked and remote.sha256 is None:
        raise DownloadError(
            f"{remote.url} does not say how long it is, so that a cut could not be seen; get it another way."
        )
    version = response.headers.get("ETag", "")
    with _disk():
        if announced is not None and announced > shutil.disk_usage(part.parent).free:
            raise OSError(errno.ENOSPC, f"no space for {announced / 1e6:,.0f} MB")
        if version.startswith('"') and version.isascii():  # a weak one does not identify the bytes
            _etag(part).write_text(version, encoding="ascii")
        else:
            _etag(part).unlink(missing_ok=True)


def _continues(response: Any, have: int, version: str | None) -> bool:
    """Return whether an answer continues after `have` bytes of the same version."""
    begin = str(response.headers.get("Content-Range", "")).partition("-")[0]
    same = version is None or response.headers.get("ETag", version) == version
    return response.status == HTTPStatus.PARTIAL_CONTENT and begin == f"bytes {have}" and same


def _chunks(response: Any, rules: Rules) -> Iterator[bytes]:
    """Yield a body in pieces as they arrive. Raises: TimeoutError if it is slower than the rules allow."""
    since, received = time.monotonic(), 0
    while chunk := response.read1(_CHUNK):
        yield chunk
        received += len(chunk)
        if received >= rules.least_bytes:
            since, received = time.monotonic(), 0
        elif time.monotonic() - since > rules.timeout_s:
            raise TimeoutError


def _request(url: str, rules: Rules, headers: dict[str, str]) -> Any:
    _check_scheme(url, rules)
    opener = urllib.request.build_opener(_SafeRedirects(rules))
    headers = {"User-Agent": "stylegan", "Accept-Encoding": "identity", **headers}
    try:
        return opener.open(urllib.request.Request(url, headers=headers), timeout=rules.timeout_s)
    except HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        return error  # says in Content-Range how long the file is


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections to the allowed schemes only."""

    def __init__(self, rules: Rules):
        self.rules = rules

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        _check_scheme(newurl, self.rules)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_scheme(url: str, rules: Rules) -> None:
    scheme = urlsplit(url).scheme
    if scheme not in rules.schemes:
        raise DownloadError(f"{url} is not a secure address, expected {' or '.join(rules.schemes)}; nothing was read.")


@contextmanager
def _interruptions(url: str) -> Iterator[None]:
    """Turn what can be repeated into _Interrupted. Raises: DownloadError for the rest; OSError of the disk."""
    try:
        yield
    except _DiskError as error:
        raise error.original from error
    except TimeoutError as error:
        raise _Interrupted("stalled") from error
    except (OSError, http.client.HTTPException) as error:
        _refuse(error, url)
        raise _Interrupted(f"was interrupted ({error})") from error


def _refuse(error: Exception, url: str) -> None:
    """Raise DownloadError unless another try may help."""
    if isinstance(error, HTTPError):
        if error.code < 400 or error.code in _PERMANENT:  # a redirection that urllib refuses
            raise DownloadError(f"{url} answers {error.code} {error.reason}; the file may have moved.") from error
    elif isinstance(error, URLError) and not isinstance(error.reason, TimeoutError | ConnectionResetError):
        raise DownloadError(
            f"{urlsplit(url).hostname} cannot be reached ({error.reason}); connect to the internet, or get {url} in "
            "another way and pass the file."
        ) from error


class _DiskError(Exception):
    """Wraps an OSError of the disk, which is no error of the connection."""

    def __init__(self, original: OSError):
        super().__init__(str(original))
        self.original = original


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _DiskError(error) from error


def _announced(response: Any) -> int | None:
    """Return the size of the whole file according to an answer."""
    part = str(response.headers.get("Content-Range", ""))
    total = part.rpartition("/")[2] if part else str(response.headers.get("Content-Length", ""))
    return int(total) if total.isdecimal() and len(total) < 20 else None


def _verify(remote: Remote, part: Path) -> None:
    """Remove a file of another size or content. Raises: DownloadError."""
    size = part.stat().st_size
    wrong = f"{size} bytes, expected {remote.bytes}" if remote.bytes not in (None, size) else None
    if wrong is None and remote.sha256 is not None and (found := sha256_of(part)) != remote.sha256:
        wrong = f"SHA-256 {found}, expected {remote.sha256}"
    if wrong is not None:
        part.unlink()
        _etag(part).unlink(missing_ok=True)
        raise DownloadError(f"{remote.url} has {wrong}; it was removed, try again and do not use it if it repeats.")


@contextmanager
def _alone(file: IO[bytes], path: Path) -> Iterator[None]:
    """Keep other processes from the same download, where the system has locks. Raises: DownloadError."""
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DownloadError(f"another process is downloading {path}; wait until it ends.") from None
        except OSError:  # the file system has none
            pass
    yield


def _emptied(file: IO[bytes]) -> int:
    file.truncate(0)
    return 0


def _etag(part: Path) -> Path:
    return part.with_suffix(".etag")


def _size(part: Path) -> str:
    with suppress(OSError):
        return f"{part.stat().st_size / 1e6:,.1f}"
    return "0"
