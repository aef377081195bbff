"""Add members to archives without times or owners, so that the same content gives the same bytes."""

from __future__ import annotations

import io
import tarfile
import zipfile


def add_to_tar(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Append a file."""
    member = tarfile.TarInfo(name)  # without owner, dated 1970-01-01
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def add_to_zip(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Append a file without compression."""
    member = zipfile.ZipInfo(name)  # dated 1980-01-01
    member.create_system, member.external_attr = 3, 0o644 << 16  # otherwise unzip makes files without read permission
    archive.writestr(member, content)
