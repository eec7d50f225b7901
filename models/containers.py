"""Is an uploaded audio file whole? Checked on its container's own framing, before it is decoded.

FFmpeg decodes what is there of a file that was cut short and reports success, so half a
recording would be transcribed as if it were all. Most containers say how much should follow;
this reads only that. What each can show:

=============  ========================================================================
WAV (RF64)     the ``data`` chunk promises more bytes than follow. Sizes of 0 and of about
               2 GiB and more are what writers to a pipe leave there: they promise nothing
Ogg            a page is cut, or no page is marked as the stream's last (RFC 3533)
Matroska/WebM  an element (a segment, a cluster, a block) is cut; a live recording that was
               cut exactly between two blocks cannot be told from a whole one
MP4/M4A        a box is cut (ISO/IEC 14496-12)
MP3            a frame is cut, or frames that a Xing/Info header counts are missing; without
               that header, a cut between two frames cannot be told from a whole file
=============  ========================================================================

FLAC, AAC, AIFF, AU and AMR have no check here: their decoders or headers show it, see
``models.audio.decode``.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

# Chunks, pages, elements, boxes or frames that are walked: an hour of 20 ms each has 180,000. One
# takes about 1.5 µs, and a hostile file has one every 2 bytes: 150 s of them in 200 MB.
MAX_STEPS = 200_000

# Writers that cannot seek back leave 0, 0x7FFFF000 (SoX), 0x80000000 (arecord) or 0xFFFFFFFF.
_UNKNOWN_RIFF_BYTES = 0x7FFF_0000

_MATROSKA_PARENT_IDS = (0x18538067, 0x1F43B675)  # Segment and Cluster: walked into

# MPEG-1, -2 and -2.5 Layer III: bit rates in kbit/s by index (0: free format), rates in Hz.
_MP3_V1_KBPS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MP3_V2_KBPS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MP3_V1_HZ = (44_100, 48_000, 32_000)
_MP3_SYNC = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")  # Layer III of any version
_MP3_SLACK_FRAMES = 1  # some writers count the header's own frame


def recognise(data: bytes) -> str | None:
    """The container's name by its first bytes; None: no container that is taken here."""
    return next((name for name, _, matches in _CONTAINERS if matches(data)), None)


def what_is_missing(data: bytes) -> str | None:
    """How ``data`` shows that its file ends early, as an end of a sentence; None: it does not.

    Reads headers and framing only, of the first ``MAX_STEPS`` parts; of a file that has more
    nothing is said.
    """
    check = next((check for _, check, matches in _CONTAINERS if matches(data)), None)
    return check(data) if check else None


def _wav(data: bytes) -> str | None:
    position, data64_bytes = 12, 0
    for _ in range(MAX_STEPS):
        if position + 8 > len(data):
            return "it has no data chunk"
        tag, size = struct.unpack_from("<4sI", data, position)
        position += 8
        if tag == b"ds64" and position + 16 <= len(data):  # RF64: 64-bit sizes stand here
            (data64_bytes,) = struct.unpack_from("<Q", data, position + 8)
        if tag == b"data":
            if size == 0xFFFF_FFFF and data64_bytes:
                size = data64_bytes
            elif size >= _UNKNOWN_RIFF_BYTES:
                return None
            return _shortage("the data chunk", size, len(data) - position)
        position += size + size % 2
    return None


def _ogg(data: bytes) -> str | None:
    position, is_last = 0, False
    for _ in range(MAX_STEPS):
        if data[position : position + 4] != b"OggS":  # the end, damage, or bytes behind the end
            return None if is_last else f"no page up to byte {position} is marked as the last"
        if position + 27 > len(data):
            return f"the page at byte {position} is cut"
        is_last = bool(data[position + 5] & 4)
        body = position + 27 + data[position + 26]
        end = body + sum(data[position + 27 : body])
        if end > len(data):
            return f"the page at byte {position} is cut"
        position = end
    return None


def _matroska(data: bytes) -> str | None:
    position = 0
    for _ in range(MAX_STEPS):
        if position >= len(data):
            break
        start = position
        id_bytes = 9 - data[position].bit_length()
        if id_bytes > 4:
            return None  # not an element: bytes behind the end
        element_id = int.from_bytes(data[position : position + id_bytes], "big")
        position += id_bytes
        size_bytes = 9 - data[position].bit_length() if position < len(data) else 1
        if position + size_bytes > len(data) or size_bytes > 8:
            return f"the element at byte {start} is cut"
        mask = (1 << 7 * size_bytes) - 1
        size = int.from_bytes(data[position : position + size_bytes], "big") & mask
        position += size_bytes
        is_parent = element_id in _MATROSKA_PARENT_IDS
        if size == mask:  # all ones: unknown, as live recordings have it
            if not is_parent:
                return None
        elif position + size > len(data):
            return _shortage(f"the element at byte {start}", size, len(data) - position)
        if not is_parent:
            position += size
    return None


def _mp4(data: bytes) -> str | None:
    position = 0
    for _ in range(MAX_STEPS):
        if position + 8 > len(data):
            break
        size, tag = struct.unpack_from(">I4s", data, position)
        if size == 1 and position + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, position + 8)
        if size < 8:
            return None  # 0: the last box, up to the end; 1 to 7: damage, left to the demuxer
        if position + size > len(data):
            name = tag.decode("ascii", "replace")
            return _shortage(f"the box {name!r}", size, len(data) - position)
        position += size
    return None


def _mp3(data: bytes) -> str | None:
    position, promised = _mp3_start(data), 0
    for frames in range(MAX_STEPS):
        size = _mp3_frame_bytes(data, position)
        if size is None:
            # Elsewhere than at the end, damage or a tag stands here: no judgement.
            if position == len(data) and frames + _MP3_SLACK_FRAMES < promised:
                return f"its header counts {promised} frames and {frames} follow"
            break
        if position + size > len(data):
            return f"the frame at byte {position} is cut"
        if frames == 0:
            promised = _xing_frames(data[position : position + size])
        position += size
    return None


def _mp3_start(data: bytes) -> int:
    """The position behind an ID3v2 tag, whose size has 7 bits a byte; 0: there is no tag."""
    if not data.startswith(b"ID3") or len(data) < 10:
        return 0
    a, b, c, d = data[6:10]
    return 10 + (a << 21 | b << 14 | c << 7 | d)


def _mp3_frame_bytes(data: bytes, position: int) -> int | None:
    """The size of the Layer III frame at ``position``; None: there is none of a known size."""
    if not _MP3_SYNC.match(data, position) or position + 4 > len(data):
        return None
    version = data[position + 1] >> 3 & 3  # 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5
    kbps_index, hz_index = data[position + 2] >> 4, data[position + 2] >> 2 & 3
    if kbps_index in (0, 15) or hz_index == 3:
        return None
    kbps = (_MP3_V1_KBPS if version == 3 else _MP3_V2_KBPS)[kbps_index]
    rate_hz = _MP3_V1_HZ[hz_index] // {3: 1, 2: 2, 0: 4}[version]
    samples = 1152 if version == 3 else 576
    padding = data[position + 2] >> 1 & 1
    return samples // 8 * kbps * 1000 // rate_hz + padding


def _xing_frames(frame: bytes) -> int:
    """How many frames follow, as a Xing/Info header in the first frame says; 0: it does not."""
    tag = re.search(rb"Xing|Info", frame[:44])
    if tag is None or len(frame) < tag.end() + 8 or not frame[tag.end() + 3] & 1:
        return 0
    return int.from_bytes(frame[tag.end() + 4 : tag.end() + 8], "big")


def _shortage(what: str, promised: int, left: int) -> str | None:
    return f"{what} promises {promised} bytes and {left} follow" if promised > left else None


def _is_mp3(data: bytes) -> bool:
    if data.startswith(b"ID3"):
        return True
    first = _mp3_frame_bytes(data, 0)  # two bytes of sync alone would take much for MP3
    return first is not None and (first >= len(data) or _mp3_frame_bytes(data, first) is not None)


_Check = Callable[[bytes], str | None]
_CONTAINERS: tuple[tuple[str, _Check | None, Callable[[bytes], bool]], ...] = (
    ("WAV", _wav, lambda d: d[:4] in (b"RIFF", b"RF64", b"BW64") and d[8:12] == b"WAVE"),
    ("Ogg", _ogg, lambda d: d.startswith(b"OggS")),
    ("Matroska", _matroska, lambda d: d.startswith(b"\x1a\x45\xdf\xa3")),
    ("MP4", _mp4, lambda d: d[4:8] == b"ftyp"),
    ("FLAC", None, lambda d: d.startswith(b"fLaC")),
    ("AIFF", None, lambda d: d[:4] == b"FORM" and d[8:12] in (b"AIFF", b"AIFC")),
    ("AU", None, lambda d: d.startswith(b".snd")),
    ("AMR", None, lambda d: d.startswith(b"#!AMR")),
    ("AAC", None, lambda d: d[:2] in (b"\xff\xf0", b"\xff\xf1", b"\xff\xf8", b"\xff\xf9")),
    ("MP3", _mp3, _is_mp3),
)
