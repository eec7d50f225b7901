"""What a file is by its first bytes, and that looking at its framing ends, however hostile."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from models.audio import formats, mpeg, wav
from models.audio.formats import Part

OGG_PAGE = b"OggS" + bytes(22) + b"\0"  # of no segments
EBML = b"\x1a\x45\xdf\xa3\x80"
CLUSTER = b"\x1f\x43\xb6\x75\xff"  # of unknown size
MP3_FRAME = b"\xff\xf3\x14\xc0" + bytes(20)  # MPEG-2, 8 kbit/s, 24 kHz
ADTS_FRAME = b"\xff\xf1\x60\x40\x04\x1f\xfc" + bytes(25)


def box(name: bytes, size: int = 8, content: bytes = b"") -> bytes:
    return struct.pack(">I4s", size, name) + content


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"RIFF\0\0\0\0WAVE", "WAV", id="wav"),
        pytest.param(b"RF64\xff\xff\xff\xffWAVE", "WAV", id="rf64"),
        pytest.param(b"RIFF\0\0\0\0AVI ", None, id="avi"),
        pytest.param(OGG_PAGE, "Ogg", id="ogg"),
        pytest.param(EBML, "Matroska", id="matroska"),
        pytest.param(box(b"ftyp"), "MP4", id="mp4"),
        pytest.param(box(b"moov"), "MP4", id="quicktime-index-first"),
        pytest.param(box(b"wide") + box(b"mdat"), "MP4", id="quicktime"),
        pytest.param(b"fLaC\0\0\0\x22", "FLAC", id="flac"),
        pytest.param(b"FORM\0\0\0\0AIFC", "AIFF", id="aifc"),
        pytest.param(b".snd" + struct.pack(">5I", 24, 0, 3, 8_000, 1), "AU", id="au"),
        pytest.param(b"#!AMR-WB\n", "AMR", id="amr"),
        pytest.param(b"caff\0\1", "CAF", id="caf"),
        pytest.param(MP3_FRAME * 2, "MP3", id="mp3"),
        pytest.param(MP3_FRAME, "MP3", id="one-mp3-frame"),
        pytest.param(b"x" * 99 + MP3_FRAME * 4, "MP3", id="mp3-behind-junk"),
        pytest.param(b"x" * 99 + MP3_FRAME * 3, None, id="too-few-frames-behind-junk"),
        pytest.param(ADTS_FRAME * 2, "AAC", id="aac"),
        pytest.param(b"\xff\xf1" + b"x" * 99, None, id="a-sync-alone"),
        pytest.param(b"ID3\3\0\0\0\0\0\4abcdfLaC\0\0\0\x22", "FLAC", id="flac-behind-id3"),
        pytest.param(b"ID3\3\0\0\0\0\0\4abcd", None, id="id3-alone"),
        pytest.param(b"ID3\3\0\0\xff\0\0\4" + MP3_FRAME * 4, "MP3", id="id3-of-no-size"),
        pytest.param(b"#EXTM3U\n", None, id="playlist"),
    ],
)
def test_what_a_file_is(data: bytes, expected: str | None) -> None:
    found = formats.recognise(data)
    assert (found and found[0].name) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(OGG_PAGE[:5] + b"\4" + OGG_PAGE[6:], "whole", id="ogg"),
        pytest.param(OGG_PAGE, "unmarked", id="ogg-without-an-end"),
        pytest.param(OGG_PAGE + OGG_PAGE[:20], "cut", id="ogg-in-a-head"),
        pytest.param(OGG_PAGE[:26] + b"\2\5\5" + bytes(9), "cut", id="ogg-in-a-body"),
        pytest.param(box(b"ftyp") + box(b"mdat", 10, b"12"), "whole", id="mp4"),
        pytest.param(box(b"ftyp") + box(b"mdat", 10, b"1"), "cut", id="mp4-cut"),
        pytest.param(box(b"ftyp") + box(b"mdat", 0, b"1"), "whole", id="mp4-to-the-end"),
        pytest.param(box(b"ftyp") + b"TAG then anything", "whole", id="mp4-and-a-tag"),
        pytest.param(EBML + CLUSTER + b"\xe7\x81\0\xa3\x81x", "whole", id="matroska"),
        pytest.param(EBML + CLUSTER + b"\xe7\x81\0\xa3\x85x", "cut", id="matroska-in-a-block"),
        pytest.param(EBML + CLUSTER + b"\xe7\x81\0\xa3", "cut", id="matroska-in-a-head"),
        pytest.param(EBML + b"\x18\x53\x80\x67\x9f" + CLUSTER, "cut", id="matroska-segment"),
        pytest.param(EBML + CLUSTER + b"\xe7\x81\0TAG", "whole", id="matroska-and-a-tag"),
        pytest.param(EBML + CLUSTER + b"\xe7\x81\0" + bytes(9), "whole", id="matroska-and-zeros"),
    ],
)
def test_how_a_file_ends(data: bytes, expected: str) -> None:
    found = formats.recognise(data)
    assert found is not None
    assert formats.ending(data, found[0], Part(0, len(data))) == expected


FEW = 50  # steps, in place of the many of an ordinary file
HOSTILE: dict[str, tuple[Callable[[int], bytes], object, str]] = {
    "mp4": (
        lambda parts: box(b"ftyp") + parts * box(b"free") + box(b"mdat", 99),
        formats,
        "MAX_BOXES",
    ),
    "matroska": (
        lambda parts: EBML + CLUSTER + parts * b"\xec\x80" + b"\xec\x8f",
        formats,
        "MAX_ELEMENTS",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(
    ("parts", "expected"), [pytest.param(40, "cut", id="few"), pytest.param(60, "whole", id="many")]
)
def test_a_walk_ends(name: str, parts: int, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said of what lies behind the bound."""
    make, module, bound = HOSTILE[name]
    monkeypatch.setattr(module, bound, FEW)
    data = make(parts)
    found = formats.recognise(data)
    assert found is not None
    assert formats.ending(data, found[0], Part(0, len(data))) == expected


@pytest.mark.parametrize("chunks", [40, 60])
def test_a_walk_through_chunks_ends(chunks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wav, "MAX_CHUNKS", FEW)
    form = b"fmt \x10\0\0\0" + struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16)
    data = b"RIFF\0\0\0\0WAVE" + form + chunks * b"JUNK\0\0\0\0" + b"data\2\0\0\0ab"
    assert (wav.read(data, 0, len(data)) is not None) == (chunks < FEW)


@pytest.mark.parametrize("kept", range(9), ids=lambda kept: f"{kept} bytes of the header")
def test_a_file_that_is_cut_in_its_count_has_none(kept: int) -> None:
    data = MP3_FRAME[:36] + b"Info\0\0\0\1"[:kept]
    assert mpeg.has_count(data, 0) is (kept == 8)


def test_tags_before_a_file_are_counted() -> None:
    tag = b"ID3\3\0\0\0\0\0\0"
    assert mpeg.behind_tags(tag * 99, 0) == mpeg.MAX_TAGS * len(tag)


def test_parts_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "MAX_PARTS", 7)
    data = b"fLaC\0\0\0\x22" * 99
    found = formats.recognise(data)
    assert found is not None
    assert len(formats.parts(data, *found)) == 8  # one more tells that there are more


def test_the_parts_of_a_file_are_all_of_it() -> None:
    data = (b"RIFF\0\0\0\0WAVE" + bytes(30)) * 5
    found = formats.recognise(data)
    assert found is not None
    parts = formats.parts(data, *found)
    assert [part.start for part in parts] == [42 * index for index in range(5)]
    assert [part.end for part in parts] == [42 * index for index in range(1, 6)]
