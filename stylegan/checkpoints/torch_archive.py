"""The newer container of torch.save: a zip without compression, data.pkl and one member per storage."""

from __future__ import annotations

import codecs
import io
import re
import struct
import zipfile
import zlib

from stylegan.checkpoints import pickle_guards as guards
from stylegan.checkpoints.pickle_guards import Limits
from stylegan.errors import PickleError

START = b"PK\x03\x04"
_HEADER = struct.Struct("<4s5H3I2H")  # of a member; its last two numbers are the lengths of name and extra field
_NAMES = re.compile(
    r"(?!\.\.?/)[^/\\]+/"
    r"(data\.pkl|data/\d+|byteorder|version|\.format_version|\.storage_alignment|\.data/serialization_id)"
)

_LONGEST_READ = 4 << 20  # bytes; the directory of as many members as are allowed has half as many

codecs.lookup("cp437")  # in which zipfile reads some names; found now, so that no file makes Python import it


class _View(io.RawIOBase):
    """A file that is a view of bytes, so that the directory of a zip is read without a copy of the rest."""

    def __init__(self, data: memoryview) -> None:
        self.data, self.position = data, 0

    def seek(self, offset: int, origin: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: len(self.data)}[origin]
        if start + offset < 0:
            raise OSError("a position is before the file")
        self.position = start + offset
        return self.position

    def read(self, size: int = -1) -> bytes:
        if size > _LONGEST_READ:
            raise OSError(f"it has {size:,} bytes")
        found = bytes(self.data[self.position : len(self.data) if size < 0 else self.position + size])
        self.position += len(found)
        return found


def members(data: memoryview, limits: Limits) -> dict[str, memoryview]:
    """Return the content of each member of a torch.save zip, by its name below the top folder, without a copy.

    Raises: PickleError if the zip is damaged, compressed, or has members that torch.save does not write.
    """
    try:
        with zipfile.ZipFile(_View(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error, OverflowError) as error:
        raise PickleError(f"the zip has no readable directory ({error})") from error
    guards.zip_members(len(entries), limits)
    guards.zip_unique([entry.filename for entry in entries])
    found, end = {}, 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        name = entry.filename
        match = _NAMES.fullmatch(name)
        guards.zip_name(match is not None, name)
        stored = entry.compress_type == zipfile.ZIP_STORED and entry.compress_size == entry.file_size
        guards.zip_stored(stored and not entry.flag_bits & 0x1, name)
        guards.zip_overlap(entry.header_offset, end, name)
        begin = entry.header_offset + _HEADER.size
        guards.inside(begin, len(data))
        header = _HEADER.unpack(data[entry.header_offset : begin])
        own_name = bytes(data[begin : begin + header[9]])
        guards.zip_header(header[0] == START and own_name == entry.orig_filename.encode(), name)
        begin += header[9] + header[10]
        end = begin + entry.file_size
        guards.inside(end, archive.start_dir)
        guards.zip_checksum(zlib.crc32(data[begin:end]) == entry.CRC, name)
        assert match is not None
        found[match[1]] = data[begin:end]
    guards.zip_unique([name.partition("/")[2] for name in (entry.filename for entry in entries)])
    guards.zip_name("data.pkl" in found, "data.pkl")
    guards.stream_part(bytes(found.get("byteorder", b"little")[:10]) == b"little", "byte order", "another")
    return found
