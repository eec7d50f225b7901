"""Finds the frames of MP3 and of AAC in ADTS, which have no container, and the tags around them.

Tags stand before and behind the frames. Where a stream was cut, there are stray bytes, too.
"""

from __future__ import annotations

import re

# Bytes that are searched for a first frame. A tag with a picture may be longer; it states its size.
MAX_JUNK_BYTES = 1 << 17
MAX_TAGS = 16  # in a row
FRAMES_OF_A_STREAM = 4  # in a row: so many do not occur by chance

# Kbit/s by index (0: free format), of Layer III and Layer II; MPEG-2 and -2.5 share one row.
_KBPS = {
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MPEG_1_HZ = (44_100, 48_000, 32_000)
_SYNC = re.compile(rb"\xff[\xe2-\xe5\xf0-\xf5\xf8-\xfd]")
_MOST_FRAME_BYTES = 8_191  # of ADTS; of MP3 less
_ID3_HEAD_BYTES = 10
_ID3V1_BYTES = 128
_APE_FOOT_BYTES = 32


def frame_bytes(data: bytes, at: int) -> tuple[str, int] | None:
    """Return the kind ("MP3" or "AAC") and size of the frame here; None: no frame of known size."""
    if at + 7 > len(data) or not _SYNC.match(data, at):
        return None
    if data[at + 1] & 0x06 == 0:  # where MPEG has its layer
        size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        return ("AAC", size) if size > 7 and data[at + 2] >> 2 & 15 < 13 else None
    version, layer = data[at + 1] >> 3 & 3, 4 - (data[at + 1] >> 1 & 3)
    kbps_index, hz_index = data[at + 2] >> 4, data[at + 2] >> 2 & 3
    if version == 1 or kbps_index in (0, 15) or hz_index == 3:
        return None
    kbps = _KBPS[version == 3, layer][kbps_index]
    rate_hz = _MPEG_1_HZ[hz_index] // {3: 1, 2: 2, 0: 4}[version]
    samples = 576 if layer == 3 and version != 3 else 1152
    return "MP3", samples // 8 * kbps * 1000 // rate_hz + (data[at + 2] >> 1 & 1)


def stream_at(data: bytes, at: int) -> str | None:
    """Return the kind of stream that begins here; None: none does.

    Two frames of one kind in a row are a stream, or one that ends where the file does.
    """
    first = frame_bytes(data, at)
    if first is None:
        return None
    name, size = first
    behind = data[at + size : at + size + 7]
    second = frame_bytes(behind, 0)
    return name if len(behind) < 7 or (second and second[0] == name) else None


def find_stream(data: bytes, start: int) -> tuple[str, int] | None:
    """Return the name and start of the first MP3 or AAC stream from ``start`` on."""
    name = stream_at(data, start)
    if name:
        return name, start
    for found in _SYNC.finditer(data, start, start + MAX_JUNK_BYTES):
        name = _run_at(data, found.start())
        if name:
            return name, found.start()
    return None


def _run_at(data: bytes, at: int) -> str | None:
    """Return the kind of ``FRAMES_OF_A_STREAM`` frames in a row that begin here; None: none do."""
    names = set()
    for _ in range(FRAMES_OF_A_STREAM):
        frame = frame_bytes(data, at)
        if frame is None:
            return None
        names.add(frame[0])
        at += frame[1]
    return names.pop() if len(names) == 1 else None


def stray_bytes(data: bytes, start: int) -> int:
    """Count the bytes before ``start`` that are neither a tag nor zeros."""
    at = behind_tags(data, 0)
    padding = len(data[at:start]) - len(data[at:start].lstrip(b"\0"))
    at = behind_tags(data, at + padding)
    return max(0, start - at)


def behind_tags(data: bytes, at: int) -> int:
    """Return the position behind ID3v2 tags, whose size has 7 bits a byte."""
    for _ in range(MAX_TAGS):
        if not is_tag(data, at):
            break
        a, b, c, d = data[at + 6 : at + _ID3_HEAD_BYTES]
        footer = _ID3_HEAD_BYTES if data[at + 5] & 0x10 else 0
        at += _ID3_HEAD_BYTES + (a << 21 | b << 14 | c << 7 | d) + footer
    return at


def is_tag(data: bytes, at: int) -> bool:
    """Tell whether an ID3v2 tag begins here."""
    head = data[at : at + _ID3_HEAD_BYTES]
    return (
        len(head) == _ID3_HEAD_BYTES
        and head.startswith(b"ID3")
        and head[3] < 0xFF
        and head[4] < 0xFF
        and all(byte < 0x80 for byte in head[6:])
    )


def before_tags(data: bytes, start: int, end: int) -> int:
    """Return the position of the tags at the end (ID3v1, APE), or the end."""
    for _ in range(MAX_TAGS):
        foot = data[max(start, end - _APE_FOOT_BYTES) : end]
        if foot.startswith(b"APETAGEX") and len(foot) == _APE_FOOT_BYTES:
            head = _APE_FOOT_BYTES if foot[23] & 0x80 else 0
            taken = int.from_bytes(foot[12:16], "little") + head
        elif end - start >= _ID3V1_BYTES and data.startswith(b"TAG", end - _ID3V1_BYTES):
            taken = _ID3V1_BYTES
        else:
            break
        if taken > end - start:
            break
        end -= taken
    return end


def frames_end(data: bytes, start: int, end: int) -> int:
    """Return where the last frame ends; behind ``end`` if the file was cut.

    Only the last few frames are searched. Without any frame, ``end`` is returned.
    """
    begin = max(start, end - (FRAMES_OF_A_STREAM + 1) * _MOST_FRAME_BYTES)
    last: int | None = None
    for found in _SYNC.finditer(data, begin, end):
        at = found.start()
        if (last is None or at >= last) and _run_at(data, at):
            while at < end and (frame := frame_bytes(data, at)):
                at += frame[1]
            last = at
    return end if last is None else last


def has_count(data: bytes, at: int) -> bool:
    """Tell whether the first frame holds a Xing/Info header that counts the frames."""
    found = re.search(rb"Xing|Info", data[at : at + 44])
    if found is None:
        return False
    flags = data[at + found.end() + 3 : at + found.end() + 4]  # nothing of a file that was cut here
    return bool(flags and flags[0] & 1)
