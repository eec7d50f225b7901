"""Reads WAV files whose lengths are wrong, unknown, or cut.

FFmpeg believes what the chunks state. So a file is read here first, and FFmpeg gets the same
samples with a header that fits them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

# Bounds the chunks that are read: a hostile file has one every 8 bytes.
MAX_CHUNKS = 1_000
MAX_LOST_BYTES = 1 << 20  # searched for the samples behind a chunk of a wrong size

# Writers that cannot seek back leave 0, 0x7FFFF000 (SoX), 0x80000000 (arecord) or 0xFFFFFFFF:
# that is usual, and promises nothing.
_UNKNOWN_BYTES = 0x7FFF_0000
_NONSENSE_BYTES = 1_000_000_000  # 8 hours at 16 kHz: a longer stated length is not believed
_MAX_STRAY_S = 0.5  # of bytes behind the samples; more bytes are uncounted samples


@dataclass(frozen=True, slots=True)
class Wave:
    """The place of the samples, and a header. ``stated_bytes`` None: no length is stated."""

    header: bytes
    start: int
    end: int
    stated_bytes: int | None
    is_misstated: bool = False  # the header states another length than the file's own


def is_wave(data: bytes, at: int = 0) -> bool:
    """Tell whether a WAV file begins here, in any of its dialects."""
    is_riff = data[at : at + 4] in (b"RIFF", b"RF64", b"BW64")  # RIFX is misread by FFmpeg
    return is_riff and data[at + 8 : at + 12] == b"WAVE"


def read(data: bytes, start: int, end: int) -> Wave | None:
    """Read the WAV file from ``start`` to ``end``; None: it has no format or no data chunk."""
    position, form, data64_bytes = start + 12, b"", 0
    for _ in range(MAX_CHUNKS):
        if position + 8 > end:
            return None
        tag, size = struct.unpack_from("<4sI", data, position)
        body = position + 8
        if tag == b"fmt ":
            form = data[body : min(body + size, end)]
        if tag == b"ds64" and body + 16 <= end:  # RF64: 64-bit sizes stand here
            (data64_bytes,) = struct.unpack_from("<Q", data, body + 8)
        if tag == b"data":
            if size == 0xFFFF_FFFF and data64_bytes:
                size = data64_bytes
            return _wave(form, (body, end), size, data)
        position = _behind(data, body, size)
        if not _is_tag(data, position):  # a wrong size hides the next chunk
            found = data.find(b"data", body, min(end, body + MAX_LOST_BYTES))
            position = found if found >= 0 else end
    return None


def ends_well(data: bytes, wave: Wave) -> bool:
    """Tell whether the end of the file, a chunk or another file stands where the header says."""
    if wave.stated_bytes is None or wave.start + wave.stated_bytes > len(data):
        return False
    places = (wave.end, wave.end + 1)
    is_followed = any(is_wave(data, at) or _is_chunk(data, at, len(data)) for at in places)
    return is_followed or len(data) - wave.end <= 1


def _wave(form: bytes, bounds: tuple[int, int], size: int, data: bytes) -> Wave | None:
    if len(form) < 16:
        return None
    start, end = bounds
    left = end - start
    rate_bytes, frame_bytes = struct.unpack_from("<IH", form, 8)
    is_misstated, stated = False, None if size >= _UNKNOWN_BYTES else size
    if size == 0:
        stated = 0 if not left or _is_chunk(data, start, end) else None
    elif stated is not None and size > left and size >= _NONSENSE_BYTES:
        is_misstated, stated = True, None
    elif left - size > _MAX_STRAY_S * rate_bytes and not _is_no_sound(data, start + size, end):
        is_misstated, stated = True, None  # the writer never corrected it
    taken = left if stated is None else min(stated, left)
    taken -= taken % max(1, frame_bytes)
    header = _header(form, taken)
    return Wave(header, start, start + taken, stated, is_misstated)


def _header(form: bytes, data_bytes: int) -> bytes:
    form += bytes(len(form) % 2)
    chunks = b"WAVE" + struct.pack("<4sI", b"fmt ", len(form)) + form
    chunks += struct.pack("<4sI", b"data", min(data_bytes, 0xFFFF_FFFF))
    total = min(len(chunks) + data_bytes, 0xFFFF_FFFF)
    return struct.pack("<4sI", b"RIFF", total) + chunks


def _behind(data: bytes, body: int, size: int) -> int:
    """Return where the next chunk begins: some writers omit the padding byte of an odd size."""
    behind = body + size
    if size % 2 and not (_is_tag(data, behind) and not _is_tag(data, behind + 1)):
        behind += 1
    return behind


def _is_no_sound(data: bytes, position: int, end: int) -> bool:
    """Tell whether a chunk, a tag, or padding follows the samples, and no more samples."""
    if data.startswith((b"ID3", b"APETAGEX"), position):
        return True
    if any(_is_chunk(data, at, end) for at in (position, position + 1)):
        return True
    return not any(data[position:end])


def _is_chunk(data: bytes, position: int, end: int) -> bool:
    if not _is_tag(data, position) or position + 8 > end:
        return False
    (size,) = struct.unpack_from("<I", data, position + 4)
    return bool(size <= end - position)


def _is_tag(data: bytes, position: int) -> bool:
    tag = data[position : position + 4]
    return len(tag) == 4 and all(32 <= byte < 127 for byte in tag)
