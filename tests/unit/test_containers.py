"""The walk through a container's framing ends, however many parts a hostile file has."""

from __future__ import annotations

import struct

import pytest

from models import containers

MAX_STEPS = 50

# A file of many parts of the smallest size: its start, one part, and an end that is cut.
OGG_PAGE = b"OggS" + bytes(23)  # of no segments
MP3_FRAME = b"\xff\xf3\x14\0" + bytes(20)  # MPEG-2, 8 kbit/s, 24 kHz
FILES = {
    "wav": (b"RIFF\0\0\0\0WAVE", b"JUNK\0\0\0\0", b"data\x64\0\0\0"),
    "ogg": (OGG_PAGE, OGG_PAGE, OGG_PAGE[:20]),
    "matroska": (b"\x1a\x45\xdf\xa3\x80", b"\xec\x80", b"\xec\x8f"),  # EBML header, Void
    "mp4": (struct.pack(">I4s", 8, b"ftyp"), struct.pack(">I4s", 8, b"free"), b"\0\0\0\x64mdat"),
    "mp3": (MP3_FRAME, MP3_FRAME, MP3_FRAME[:10]),
}


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "MAX_STEPS", MAX_STEPS)


def cut_file(name: str, parts: int) -> bytes:
    start, part, end = FILES[name]
    return start + parts * part + end


@pytest.mark.parametrize("name", FILES)
def test_a_cut_within_the_bound_is_seen(name: str) -> None:
    assert containers.what_is_missing(cut_file(name, MAX_STEPS - 2)) is not None


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_said_of_what_lies_behind_the_bound(name: str) -> None:
    assert containers.what_is_missing(cut_file(name, MAX_STEPS)) is None
