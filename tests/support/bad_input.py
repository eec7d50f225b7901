"""The table of bad requests: what is sent, and the answer that names the field.

Run against the application on fakes in the quick suite, and against a real server.
"""

from __future__ import annotations

import base64
import io
import struct
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np

from models.audio.resample import MIN_RATE_HZ
from tests.support.speech import clip

RATE_HZ = 16_000


@dataclass(frozen=True)
class Bad:
    """One bad request. ``says`` must stand in the message."""

    id: str
    path: str
    status: int
    param: str | None
    says: str = ""
    method: str = "POST"
    request: dict[str, Any] = field(default_factory=dict)  # of httpx


def wav(samples: Any, *, audio_format: int = 1, bits: int = 16) -> bytes:
    """A WAV file of mono samples, header and all, whatever they hold."""
    data = np.asarray(samples).tobytes()
    size = bits // 8
    head = struct.pack("<HHIIHH", audio_format, 1, RATE_HZ, RATE_HZ * size, size, bits)
    chunks = b"fmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def hours_of_silence(duration_s: int) -> bytes:
    """A small FLAC file that unpacks to a long recording: of a low rate, as that is quickest."""
    out, rate_hz = io.BytesIO(), MIN_RATE_HZ
    with av.open(out, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=rate_hz)
        minute = np.zeros((1, rate_hz * 60), np.int16)
        for _ in range(duration_s // 60):
            frame = av.AudioFrame.from_ndarray(minute, format="s16", layout="mono")
            frame.sample_rate = rate_hz
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def speech_file() -> bytes:
    return clip("en-conf-onlyperson").path.read_bytes()


TRANSLATE, TRANSCRIBE = "/v1/speech/translations", "/v1/audio/transcriptions"
TEXT, SPEAK, EMBED = "/v1/text/translations", "/v1/audio/speech", "/v1/audio/embeddings"
AUDIO_TRANSLATE = "/v1/audio/translations"
PCM = "audio/pcm; rate=16000"
TEXT_OK = {"text": "Hello.", "source_language": "en", "target_language": "pt"}


def form(data: bytes | None, **fields: str) -> dict[str, Any]:
    """A multipart form with one file, if any."""
    fields = {"target_language": "pt", **fields}
    files = {} if data is None else {"file": ("speech.wav", data)}
    # A form of no files is sent as multipart all the same.
    return {"files": {**files, **{name: (None, value) for name, value in fields.items()}}}


def heard(data: bytes, **fields: str) -> dict[str, Any]:
    """The form of an endpoint of OpenAI's."""
    return {"files": {"file": ("a.flac", data), **{n: (None, v) for n, v in fields.items()}}}


def _audio_rows() -> list[Bad]:
    good = speech_file()
    files = {
        "empty file": (b"", 400, ""),
        "not audio": (b"GIF89a" + bytes(5000), 415, ""),
        "text": (b"This is no audio at all. " * 100, 415, ""),
        "header of a flac alone": (good[:60], 400, "no samples"),
        "zero length": (wav(np.zeros(0, np.int16)), 400, ""),
        "NaN samples": (wav(np.full(8000, np.nan, np.float32), audio_format=3, bits=32), 400, ""),
        "hours of audio": (hours_of_silence(2 * 3600), 413, ""),
    }
    return [
        Bad(f"{name}, {path}", path, status, "file", says, request=request)
        for name, (data, status, says) in files.items()
        for path, request in (
            (TRANSLATE, form(data)),
            (TRANSCRIBE, {"files": {"file": ("a.wav", data)}}),
            (EMBED, {"files": {"file": ("a.wav", data)}}),
        )
    ]


def _comparison_rows(good: bytes) -> list[Bad]:
    """Clips to compare with, in the field ``compare`` of an embeddings request."""
    one, other = ("file", ("a.wav", good)), ("compare", ("b.wav", good))
    wrong = {
        "text to compare with": ([one, ("compare", ("b.wav", b"no audio " * 99))], 415, "compare"),
        "nothing to compare with": ([one, ("compare", ("b.wav", b""))], 400, "compare"),
        "a text field to compare with": ([one, ("compare", (None, "x"))], 400, "compare"),
        "too many clips to compare with": ([one, *[other] * 64], 413, "compare"),
        "only clips to compare with": ([other], 400, "file"),
        "threshold above 1": ([one, other, ("threshold", (None, "1.5"))], 400, "threshold"),
        "threshold of no number": ([one, other, ("threshold", (None, "nan"))], 400, "threshold"),
        "threshold for nothing": ([one, ("threshold", (None, "0.5"))], 400, "threshold"),
        "top_k of none": ([one, other, ("top_k", (None, "0"))], 400, "top_k"),
        "top_k of nothing": ([one, ("top_k", (None, "3"))], 400, "top_k"),
        "no answer left": (
            [one, ("include_embedding", (None, "false"))], 400, "include_embedding"),
    }  # fmt: skip
    bare = {"files": [one, other], "headers": {"accept": "application/octet-stream"}}
    return [
        *(
            Bad(name, EMBED, status, param, request={"files": files})
            for name, (files, status, param) in wrong.items()
        ),
        Bad("a bare vector of a comparison", EMBED, 400, "accept", "JSON", request=bare),
    ]


def data_url(data: bytes) -> str:
    return f"data:audio/wav;base64,{base64.b64encode(data).decode()}"


def rows() -> list[Bad]:
    """All of them; made when asked for, since some take a moment to make."""
    good = speech_file()
    pcm = {"content": bytes(3200), "headers": {"content-type": "audio/pcm"}}
    return [
        *_audio_rows(),
        Bad("no file", TRANSLATE, 400, "file", "required", request=form(None)),
        Bad(
            "file as text",
            TRANSLATE,
            400,
            "file",
            "uploaded file",
            request={"files": {"file": (None, "x"), "target_language": (None, "pt")}},
        ),
        Bad("two files", TRANSLATE, 413, "file", "at most 1", request={
            "files": [("file", ("a.wav", good)), ("file", ("b.wav", good)),
                      ("target_language", (None, "pt"))]}),
        Bad("no target", TRANSLATE, 400, "target_language", "required",
            request={"files": {"file": ("a.wav", good)}}),
        Bad("unknown target", TRANSLATE, 400, "target_language", "ISO 639-1",
            request=form(good, target_language="tlh")),
        Bad("unknown source", TRANSLATE, 400, "source_language", "ISO 639-1",
            request=form(good, source_language="xx")),
        Bad("no such pair", TRANSLATE, 422, "target_language", "en-pt",
            request=form(good, source_language="fr")),
        Bad("unknown voice", TRANSLATE, 404, "voice", "no voice 'nobody'",
            request=form(good, voice="nobody")),
        Bad("speed too high", TRANSLATE, 400, "speed", "4", request=form(good, speed="9")),
        Bad("speed not a number", TRANSLATE, 400, "speed", "number",
            request=form(good, speed="fast")),
        Bad("unknown response format", TRANSLATE, 400, "response_format", "json",
            request=form(good, response_format="docx")),
        Bad("misspelt field", TRANSLATE, 400, "taget_language", "not a field",
            request=form(good, taget_language="pt")),
        Bad("not a form", TRANSLATE, 400, "body", "multipart/form-data", request={"json": {}}),
        Bad("broken form", TRANSLATE, 400, "body", "", request={
            "content": b"--x\r\nnonsense",
            "headers": {"content-type": "multipart/form-data"}}),
        Bad("form cut short", TRANSLATE, 400, "target_language", "required", request={
            "content": b"--x\r\nnonsense",
            "headers": {"content-type": "multipart/form-data; boundary=x"}}),
        Bad("unknown ASR model", TRANSCRIBE, 404, "model", "no model 'whisper-9'",
            request={"files": {"file": ("a.flac", good), "model": (None, "whisper-9")}}),
        Bad("a model of another kind", TRANSCRIBE, 404, "model", "not asr",
            request={"files": {"file": ("a.flac", good), "model": (None, "speaker")}}),
        Bad("unknown language", TRANSCRIBE, 400, "language", "ISO 639-1",
            request={"files": {"file": ("a.flac", good), "language": (None, "klingon")}}),
        Bad("temperature too high", TRANSCRIBE, 400, "temperature", "1",
            request={"files": {"file": ("a.flac", good), "temperature": (None, "7")}}),
        Bad("words without verbose_json", TRANSCRIBE, 400, "timestamp_granularities[]", "verbose",
            request={"files": {"file": ("a.flac", good),
                               "timestamp_granularities[]": (None, "word")}}),
        Bad("100,000 characters", TEXT, 413, "text", "at most",
            request={"json": {**TEXT_OK, "text": "a" * 100_000}}),
        Bad("too many texts", TEXT, 413, "text", "at most",
            request={"json": {**TEXT_OK, "text": ["a"] * 10_000}}),
        Bad("no texts", TEXT, 400, "text", "at least one",
            request={"json": {**TEXT_OK, "text": []}}),
        Bad("a number for a text", TEXT, 400, "text", "", request={"json": {**TEXT_OK, "text": 7}}),
        Bad("a number for a language", TEXT, 400, "source_language", "string",
            request={"json": {**TEXT_OK, "source_language": 7}}),
        Bad("unknown language of a text", TEXT, 400, "target_language", "ISO 639-1",
            request={"json": {**TEXT_OK, "target_language": "xx"}}),
        Bad("no such pair of texts", TEXT, 422, "target_language", "en-pt",
            request={"json": {**TEXT_OK, "source_language": "pt", "target_language": "pt"}}),
        Bad("a beam of none", TEXT, 400, "beam_size", "at least 1",
            request={"json": {**TEXT_OK, "beam_size": 0}}),
        Bad("source voice without a source", SPEAK, 400, "voice", "no speaker",
            request={"json": {"input": "Olá.", "voice": "source", "language": "pt"}}),
        Bad("source voice that nobody clones", TRANSLATE, 422, "voice", "no model here",
            request=form(good, voice="source", target_language="en")),
        Bad("a rate in no letters", EMBED, 400, "content-type", "", request={
            "content": bytes(3200), "headers": {b"content-type": b"audio/pcm; rate=\xff"}}),
        Bad("not JSON", TEXT, 400, "body", "JSON", request={"content": b"{"}),
        Bad("a list for a body", TEXT, 400, "body", "object", request={"json": [1]}),
        Bad("deep JSON", TEXT, 400, "body", "JSON", request={"content": b"[" * 100_000}),
        Bad("unknown field", TEXT, 400, "beam", "not a field",
            request={"json": {**TEXT_OK, "beam": 5}}),
        Bad("no input", SPEAK, 400, "input", "", request={"json": {"input": "", "voice": "x"}}),
        Bad("no voice", SPEAK, 400, "voice", "required", request={"json": {"input": "Hello."}}),
        Bad("unknown voice to speak", SPEAK, 404, "voice", "no voice 'nobody'",
            request={"json": {"input": "Hello.", "voice": "nobody", "model": "tts-1"}}),
        Bad("too long to speak", SPEAK, 413, "input", "at most",
            request={"json": {"input": "a" * 100_000, "language": "en"}}),
        Bad("no voice for the language", SPEAK, 400, "language", "ISO 639-1",
            request={"json": {"input": "Hello.", "language": "xx"}}),
        Bad("slow as nothing", SPEAK, 400, "speed", "0.25",
            request={"json": {"input": "Hello.", "language": "en", "speed": 0}}),
        Bad("a stream of another kind", SPEAK, 400, "stream_format", "'audio', 'sse' or 'none'",
            request={"json": {"input": "Hello.", "language": "en", "stream_format": "ws"}}),
        Bad("events of nothing to speak", SPEAK, 400, "input", "nothing that can be spoken",
            request={"json": {"input": "...", "language": "en", "stream_format": "sse"}}),
        Bad("too many clips", EMBED, 413, "file", "at most",
            request={"files": [("file", ("a.wav", b"x"))] * 100}),
        *_comparison_rows(good),
        Bad("PCM without its rate", EMBED, 400, "content-type", "rate=16000", request=pcm),
        Bad("PCM of no channel", EMBED, 400, "content-type", "channels", request={
            "content": bytes(3200), "headers": {"content-type": f"{PCM}; channels=0"}}),
        Bad("half a sample of two channels", EMBED, 400, "file", "4 bytes", request={
            "content": bytes(3202), "headers": {"content-type": f"{PCM}; channels=2"}}),
        Bad("PCM of another width", EMBED, 400, "content-type", "bits=24", request={
            "content": bytes(3200), "headers": {"content-type": f"{PCM}; bits=24"}}),
        Bad("half a sample", EMBED, 400, "file", "", request={
            "content": bytes(3201), "headers": {"content-type": "audio/pcm; rate=16000"}}),
        Bad("a deadline that is none", TEXT, 400, "x-timeout-ms", "positive",
            request={"json": TEXT_OK, "headers": {"x-timeout-ms": "soon"}}),
        Bad("PCM at a rate that is no number", EMBED, 400, "content-type", "rate=16000", request={
            "content": bytes(3200), "headers": {"content-type": "audio/pcm; rate=²".encode()}}),
        Bad("half a surrogate pair", TEXT, 400, "text", "UTF-8", request={
            "content": b'{"text": "a \\ud800", "source_language": "en", "target_language": "pt"}'}),
        Bad("more JSON than a body may be", TEXT, 413, "body", "JSON", request={
            "content": b'{"text": "' + b"a" * 2_000_000 + b'"}'}),
        Bad("a priority that is none", TEXT, 400, "x-priority", "whole number",
            request={"json": TEXT_OK, "headers": {"x-priority": "high"}}),
        Bad("a stream of subtitles", TRANSCRIBE, 400, "stream", "diarized_json, not srt",
            request=heard(good, stream="true", response_format="srt")),
        Bad("logprobs of a bare text", TRANSCRIBE, 400, "include[]", "response_format json",
            request=heard(good, **{"include[]": "logprobs", "response_format": "text"})),
        Bad("what cannot be included", TRANSCRIBE, 400, "include[]", "must be 'logprobs'",
            request=heard(good, **{"include[]": "item.input"})),
        Bad("a threshold above 1", TRANSCRIBE, 400, "chunking_strategy", "at most 1",
            request=heard(good, **{"chunking_strategy[type]": "server_vad",
                                   "chunking_strategy[threshold]": "7"})),
        Bad("another chunking", TRANSCRIBE, 400, "chunking_strategy", "'auto'",
            request=heard(good, chunking_strategy="by_hand")),
        Bad("broken JSON of a chunking", TRANSCRIBE, 400, "chunking_strategy", "server_vad",
            request=heard(good, chunking_strategy="{type")),
        Bad("a chunking with one field too many", TRANSCRIBE, 400, "chunking_strategy", "known",
            request=heard(good, **{"chunking_strategy[type]": "server_vad",
                                   "chunking_strategy[eager]": "1"})),
        Bad("keywords of a book", TRANSCRIBE, 400, "keywords[]", "500 characters",
            request=heard(good, **{"keywords[]": "a" * 501})),
        Bad("an unknown candidate", TRANSCRIBE, 400, "languages[]", "ISO 639-1",
            request={"files": [("file", ("a.flac", good)), ("languages[]", (None, "en")),
                               ("languages[]", (None, "xx"))]}),
        Bad("a stream of audio alone", TRANSLATE, 400, "stream", "response_format json, not wav",
            request=form(good, stream="true", response_format="wav")),
        Bad("a stream of OpenAI's translations", AUDIO_TRANSLATE, 400, "stream",
            "/v1/speech/translations", request=heard(good, stream="true")),
        Bad("no such pair of OpenAI's", AUDIO_TRANSLATE, 422, "target_language", "en-pt",
            request=heard(good, target_language="pt", language="fr")),
        Bad("an unknown language to translate from", AUDIO_TRANSLATE, 400, "language", "ISO 639-1",
            request=heard(good, target_language="pt", language="klingon")),
        Bad("a translation as speech", AUDIO_TRANSLATE, 400, "response_format", "verbose_json",
            request=heard(good, response_format="wav")),
        Bad("a translation of text", AUDIO_TRANSLATE, 415, "file", "",
            request=heard(b"This is no audio at all. " * 100)),
        Bad("a flag that is none", TRANSCRIBE, 400, "stream", "true or false",
            request={"files": {"file": ("a.flac", good), "stream": (None, "maybe")}}),
        Bad("a granularity that is none", TRANSCRIBE, 400, "timestamp_granularities[]",
            "must be 'segment' or 'word'", request={"files": {
                "file": ("a.flac", good), "timestamp_granularities": (None, "letter")}}),
        Bad("a voice from a description", "/v1/audio/voices", 400, "type", "from a description",
            request={"json": {"type": "prompt", "name": "me", "prompt": "calm"}}),
        Bad("a target to be detected", TRANSLATE, 400, "target_language", "name a language",
            request=form(good, target_language="auto")),
        Bad("an empty target", TRANSLATE, 400, "target_language", "required",
            request=form(good, target_language="")),
        Bad("a voice of no kind", SPEAK, 400, "voice", "must be a string or an object",
            request={"json": {"input": "Hello.", "voice": 7}}),
        Bad("a number among texts", TEXT, 400, "text", "text[1] must be a string",
            request={"json": {**TEXT_OK, "text": ["a", 7]}}),
        Bad("an empty misspelt field", TRANSLATE, 400, "taget_language", "not a field",
            request=form(good, taget_language="")),
        Bad("JSON for a form", TRANSCRIBE, 400, "body", "not application/json",
            request={"json": {"model": "whisper-1"}}),
        Bad("a form for JSON", SPEAK, 400, "body", "not multipart/form-data",
            request=form(None, input="Hello.")),
        Bad("wrong method", TRANSLATE, 405, "method", "POST", method="GET"),
        Bad("wrong path", "/v1/speech/translation", 404, None, "no such path"),
        Bad("unknown model's row", "/v1/models/nothing", 404, "model", "no model", method="GET"),
    ]  # fmt: skip
