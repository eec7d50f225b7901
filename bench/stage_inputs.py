"""Inputs of each stage: real speech and sentences, as items and as HTTP requests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from load.connections import prepared
from models.audio.encode import encode
from models.text.sentences import split
from models.types import (
    SAMPLE_RATE_HZ,
    AsrItem,
    Audio,
    Item,
    NmtItem,
    SpeakerItem,
    TtsItem,
    VadItem,
)
from tests.support.speech import SPEECH, Clip, clips

LONGEST_CLIP_S = 8.0
PIECE_S = 1  # what a live client sends of a speaker
SHORT_TEXT_CHARS = 50  # for a voice that is slower than speech
BINARY_JSON = {"parameters": {"binary_data_output": True}}


@dataclass(frozen=True)
class Stage:
    """One model's work: the same ``items`` in-process and, by ``requests``, to a server's URL."""

    name: str
    model: str
    endpoint: str
    items: Sequence[Item]
    contents: Sequence[dict[str, Any]]  # of each request, as ``prepared`` takes it

    def requests(self, url: str) -> list[bytes]:
        return [prepared(f"{url}{self.endpoint}", **content) for content in self.contents]


def stages() -> list[Stage]:
    some = [clip for clip in clips() if clip.duration_s <= LONGEST_CLIP_S]
    english, portuguese = sentences("en-pt"), sentences("pt-en")
    short = [text for text in portuguese if len(text) <= SHORT_TEXT_CHARS]
    recording = np.concatenate([clip.samples() for clip in some])
    pieces = np.split(recording, range(SAMPLE_RATE_HZ, len(recording), SAMPLE_RATE_HZ * PIECE_S))
    return [
        _vad([clip.samples() for clip in some]),
        _asr(some),
        _nmt(english),
        _tts("tts-en", "en_US-joe-medium", english[::3]),
        _tts("tts-pt", "jm_kumo", short[::4]),
        _speaker("speaker, 1 s", pieces[:-1]),
        _speaker("speaker, 2 to 6 s", [clip.samples() for clip in some]),
    ]


def sentences(pair: str) -> list[str]:
    """Return the translation tests' sentences that are one each, of 3 to 150 characters."""
    lines = (SPEECH.parent / "nmt" / f"{pair}.jsonl").read_text().splitlines()
    texts = [json.loads(line)["source"] for line in lines]
    language, _, _ = pair.partition("-")
    return [text for text in texts if len(split(text, language).sentences) == 1]


def wav(samples: NDArray[np.int16]) -> bytes:
    return encode(Audio(samples), "wav")


def _vad(some: Sequence[NDArray[np.int16]]) -> Stage:
    def content(samples: NDArray[np.int16]) -> dict[str, Any]:
        size = {"parameters": {"binary_data_size": samples.nbytes}}
        audio = {"name": "AUDIO", "datatype": "INT16", "shape": [1, len(samples)], **size}
        head = json.dumps({**BINARY_JSON, "inputs": [audio]}).encode()
        return {
            "content": head + samples.tobytes(),
            "headers": {"Inference-Header-Content-Length": str(len(head))},
        }

    items = [VadItem(samples) for samples in some]
    return Stage("vad", "vad", "/v2/models/vad/infer", items, [*map(content, some)])


def _asr(some: Sequence[Clip]) -> Stage:
    """Through the server a clip is decoded and its silence found, too."""

    def content(clip: Clip) -> dict[str, Any]:
        fields = {"model": "asr", "language": clip.language}
        return {"files": {"file": ("a.wav", wav(clip.samples()))}, "data": fields}

    items = [AsrItem(clip.samples(), clip.language) for clip in some]
    return Stage("asr", "asr", "/v1/audio/transcriptions", items, [*map(content, some)])


def _nmt(texts: Sequence[str]) -> Stage:
    def content(text: str) -> dict[str, Any]:
        return {"json": {"text": text, "source_language": "en", "target_language": "pt"}}

    items = [NmtItem(text, "en", "pt") for text in texts]
    return Stage("nmt", "nmt", "/v1/text/translations", items, [*map(content, texts)])


def _tts(model: str, voice: str, texts: Sequence[str]) -> Stage:
    items = [TtsItem(text, voice) for text in texts]
    contents = [{"json": speech_fields(text, voice)} for text in texts]
    return Stage(model, model, "/v1/audio/speech", items, contents)


def speech_fields(text: str, voice: str) -> dict[str, str]:
    return {"input": text, "voice": voice, "response_format": "pcm"}


def _speaker(name: str, some: Sequence[NDArray[np.int16]]) -> Stage:
    def content(samples: NDArray[np.int16]) -> dict[str, Any]:
        headers = {"Content-Type": "audio/pcm; rate=16000", "Accept": "application/octet-stream"}
        return {"content": samples.tobytes(), "headers": headers}

    items = [SpeakerItem(samples) for samples in some]
    return Stage(name, "speaker", "/v1/audio/embeddings", items, [*map(content, some)])
