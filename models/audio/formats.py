"""Recognises uploaded files, splits joined ones, and tells whether they were cut.

FFmpeg decodes a file that was cut short as far as it goes, and reports success. So a container's
end is read here, from the few bytes that show it, and the caller is told.

=============  ========================================================================
WAV (RF64)     the ``data`` chunk promises more bytes than follow (``models.audio.wav``)
Ogg            the last page is cut, or is not marked as the stream's last (RFC 3533)
Matroska/WebM  an element (a segment, a cluster, a block) is cut; a live recording that was
               cut exactly between two blocks cannot be told from a whole one
MP4/M4A        a box is cut (ISO/IEC 14496-12)
MP3, AAC       the last frame is cut (``models.audio.mpeg``)
=============  ========================================================================

The other formats have no check here: their decoders or headers show a cut, see
``models.audio.ffmpeg``.

A joined file (``cat a.wav b.wav``) is found by its start. FFmpeg alone would play only the first
file of most kinds.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal, TypeAlias

from models.audio import mpeg, wav

MAX_PARTS = 1_000  # of one upload; FFmpeg opens each
MAX_BOXES = 100_000  # read in an MP4: an hour of fragments of some ms each
MAX_ELEMENTS = 20_000  # read in a Matroska file's last cluster

Ending: TypeAlias = Literal["whole", "cut", "unmarked", "misstated"]

_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675  # Matroska's elements whose content is read
_ELEMENTS = {  # elements that may stand in those
    *(_SEGMENT, _CLUSTER, 0x1A45DFA3, 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1254C367),
    *(0x1941A469, 0x1043A770, 0xEC, 0xBF, 0xE7, 0xA0, 0xA3, 0xA7, 0xAB),
}
_CLUSTER_BYTES = _CLUSTER.to_bytes(4, "big")
_W64 = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_MP4_FIRST = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp", b"moof")


_MP4_BOXES = (*_MP4_FIRST, b"sidx", b"mfra", b"udta", b"meta", b"uuid", b"prft", b"emsg")


@dataclass(frozen=True, slots=True)
class Kind:
    """A container that is taken, and the demuxer of FFmpeg that reads it.

    ``magic`` stands ``magic_at`` bytes behind the start of a file. ``begins`` is the surer check.
    """

    name: str
    demuxer: str
    magic: bytes
    begins: Callable[[bytes, int], bool]
    magic_at: int = 0
    states_length: bool = True  # of its sound, so that FFmpeg does not guess its duration
    states_length_in_header: bool = True  # states the length of its content
    is_stream: bool = False  # frames without a container


@dataclass(frozen=True, slots=True)
class Part:
    """One file in an upload."""

    start: int
    end: int


def recognise(data: bytes) -> tuple[Kind, int] | None:
    """Return the kind of ``data`` and where it begins; None: no kind that is taken."""
    start = mpeg.behind_tags(data, 0)
    for kind in _KINDS:
        if kind.begins(data, start):
            return kind, start
    if data[start + 4 : start + 8] in _MP4_FIRST:
        return _MP4, start
    found = mpeg.find_stream(data, start)
    return None if found is None else (_STREAMS[found[0]], found[1])


def parts(data: bytes, kind: Kind, start: int) -> list[Part]:
    """Return the files that are joined in ``data``: at most ``MAX_PARTS`` and one more."""
    starts = [start, *islice(_later_starts(data, kind, start), MAX_PARTS)]
    return [Part(*bounds) for bounds in zip(starts, [*starts[1:], len(data)], strict=True)]


def ending(data: bytes, kind: Kind, part: Part) -> Ending:
    """Tell how the part ends, as its container shows it."""
    check = _ENDINGS.get(kind.name)
    return check(data, part.start, part.end) if check else "whole"


def box_names(data: bytes, part: Part) -> set[bytes]:
    """Return the boxes of an MP4 file, without those inside others."""
    return {name for name, _, _ in _boxes(data, part.start, part.end)}


def whole_fragments_end(data: bytes, part: Part) -> int:
    """Return the end of an MP4 file without a last fragment whose table is cut.

    FFmpeg reads all tables first, and decodes nothing of a file in which one is cut.
    """
    boxes = _boxes(data, part.start, part.end)
    cut = (start for name, start, end in boxes if name == b"moof" and end > part.end)
    return next(cut, part.end)


def _later_starts(data: bytes, kind: Kind, start: int) -> Iterator[int]:
    """Yield where files of this kind begin behind the first; false candidates are bounded, too."""
    position = start + kind.magic_at + len(kind.magic)
    if kind is _WAV:
        position = max(position, _samples_end(data, start))
    for _ in range(MAX_PARTS):
        position = data.find(kind.magic, position)
        if position < 0:
            return
        at = position - kind.magic_at
        position += len(kind.magic)
        if kind.begins(data, at):
            yield at
            position = max(position, mpeg.behind_tags(data, at))
            if kind is _WAV:
                position = max(position, _samples_end(data, at))


def _samples_end(data: bytes, at: int) -> int:
    """Return the end of a WAV file's samples if it is sure; no file begins before it."""
    wave = wav.read(data, at, len(data))
    is_sure = wave is not None and wav.ends_well(data, wave)
    return wave.end if wave is not None and is_sure else at


def _ogg_ending(data: bytes, start: int, end: int) -> Ending:
    page = data.rfind(b"OggS", start, end)
    if page + 27 > end:
        return "cut"
    body = page + 27 + data[page + 26]
    if body + sum(data[page + 27 : body]) > end:
        return "cut"
    return "whole" if data[page + 5] & 4 else "unmarked"


def _matroska_ending(data: bytes, start: int, end: int) -> Ending:
    cluster = data.rfind(_CLUSTER_BYTES, start, end)
    walks = [(start, 2), (cluster, MAX_ELEMENTS)] if cluster > 0 else [(start, MAX_ELEMENTS)]
    is_cut = any(_has_cut_element(data, at, end, steps) for at, steps in walks)
    return "cut" if is_cut else "whole"


def _has_cut_element(data: bytes, position: int, end: int, steps: int) -> bool:
    for _ in range(steps):
        if position >= end:
            break
        id_bytes = 9 - data[position].bit_length()
        if id_bytes > 4:
            return False  # not an element: bytes behind the end
        element_id = int.from_bytes(data[position : position + id_bytes], "big")
        if element_id not in _ELEMENTS:
            return False
        position += id_bytes
        size_bytes = 9 - data[position].bit_length() if position < end else 1
        if position + size_bytes > end:
            return True
        mask = (1 << 7 * size_bytes) - 1
        size = int.from_bytes(data[position : position + size_bytes], "big") & mask
        position += size_bytes
        is_parent = element_id in (_SEGMENT, _CLUSTER)
        if size == mask:  # all ones: an unknown size, as in live recordings
            if not is_parent:
                return False
        elif position + size > end:
            return True
        if not is_parent:
            position += size
    return False


def _boxes(data: bytes, position: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield each box's name, start and end; an end may lie behind that of the file."""
    for _ in range(MAX_BOXES):
        if position + 8 > end:
            return
        size, name = struct.unpack_from(">I4s", data, position)
        if size == 1 and position + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, position + 8)
        if size == 0:  # the last one, up to the end
            size = end - position
        if size < 8:
            return  # damage, left to the demuxer
        yield name, position, position + size
        position += size


def _mp4_ending(data: bytes, start: int, end: int) -> Ending:
    boxes = _boxes(data, start, end)
    is_cut = any(name in _MP4_BOXES and box_end > end for name, _, box_end in boxes)
    return "cut" if is_cut else "whole"


def _ogg_begins(data: bytes, at: int) -> bool:
    """Tell whether a file begins here: of several tracks, only the first one's page counts."""
    if not data.startswith(b"OggS\0", at) or len(data) < at + 27:
        return False
    if at == 0 or not data[at + 5] & 2 or data[at + 5] > 7:
        return at == 0
    before = data.rfind(b"OggS", max(0, at - 65_307), at)  # the longest page
    return before < 0 or not data[before + 5] & 2


def _matroska_begins(data: bytes, at: int) -> bool:
    head = data[at : at + 64]
    return head.startswith(b"\x1a\x45\xdf\xa3") and (at == 0 or b"webm" in head or b"matr" in head)


def _stream_begins(name: str) -> Callable[[bytes, int], bool]:
    def begins(data: bytes, at: int) -> bool:
        behind = mpeg.behind_tags(data, at)
        return behind > at and mpeg.stream_at(data, behind) == name

    return begins


def _au_begins(data: bytes, at: int) -> bool:
    if not data.startswith(b".snd", at) or len(data) < at + 24:
        return False
    head_bytes, _, encoding, _, channels = struct.unpack_from(">5I", data, at + 4)
    return bool(24 <= head_bytes <= 4_096 and 1 <= encoding <= 27 and 1 <= channels <= 64)


_WAV = Kind("WAV", "wav", b"WAVE", wav.is_wave, magic_at=8)
_MP4 = Kind(
    "MP4",
    "mov",
    b"ftyp",
    lambda d, at: d[at + 4 : at + 8] == b"ftyp" and d[at : at + 2] == b"\0\0",
    magic_at=4,
)
_KINDS = (
    _WAV,
    Kind("Ogg", "ogg", b"OggS\0", _ogg_begins),
    Kind(
        "Matroska", "matroska", b"\x1a\x45\xdf\xa3", _matroska_begins, states_length=False
    ),
    _MP4,
    Kind("FLAC", "flac", b"fLaC", lambda d, at: d.startswith(b"fLaC", at)
         and d[at + 4 : at + 8] in (b"\0\0\0\x22", b"\x80\0\0\x22")),
    Kind("AIFF", "aiff", b"FORM", lambda d, at: d.startswith(b"FORM", at)
         and d[at + 8 : at + 12] in (b"AIFF", b"AIFC")),
    Kind("AU", "au", b".snd", _au_begins),
    Kind("AMR", "amr", b"#!AMR", lambda d, at: d.startswith((b"#!AMR\n", b"#!AMR-WB\n"), at),
         states_length=False, states_length_in_header=False),
    Kind("CAF", "caf", b"caff\0\1", lambda d, at: d.startswith(b"caff\0\1", at)),
    Kind("W64", "w64", _W64, lambda d, at: d.startswith(_W64, at)),
)  # fmt: skip
_STREAMS = {
    "MP3": Kind("MP3", "mp3", b"ID3", _stream_begins("MP3"), is_stream=True),
    "AAC": Kind("AAC", "aac", b"ID3", _stream_begins("AAC"), is_stream=True),
}
_ENDINGS: dict[str, Callable[[bytes, int, int], Ending]] = {
    "Ogg": _ogg_ending,
    "Matroska": _matroska_ending,
    "MP4": _mp4_ending,
}
