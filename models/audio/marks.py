"""Mark files of synthetic speech as such, in the metadata that each container has."""

from __future__ import annotations

import struct
from collections.abc import Mapping

COMMENT = "comment"  # FFmpeg's name, which its muxers write as each container has it
Tags = Mapping[str, str]


def synthetic_tags(voice_id: str) -> Tags:
    """Return the metadata of speech that a voice of the server made."""
    return {COMMENT: f"Synthetic speech, made by Dragoman; voice: {voice_id}"}


def wav_info(tags: Tags) -> bytes:
    """Return the ``LIST`` chunk of a WAV file that holds a comment; nothing of no tags."""
    if COMMENT not in tags:
        return b""
    text = tags[COMMENT].encode() + b"\0"
    text += b"\0" * (len(text) % 2)  # chunks have an even length
    comment = struct.pack("<4sI", b"ICMT", len(text)) + text
    return struct.pack("<4sI4s", b"LIST", 4 + len(comment), b"INFO") + comment
