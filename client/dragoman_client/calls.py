"""The calls of the API: what each asks for, and how its answer is read.

Pure functions, one for each method of the clients, which both colours share.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import httpx

from . import parsing, types
from .exchange import Call, Result, Upload
from .transport import Timeout

Form: TypeAlias = dict[str, str | list[str]]

# A question about readiness is answered at once or not at all.
PROBE_TIMEOUT = Timeout(total_s=5.0, connect_s=2.0)


def translate_speech(
    upload: Upload,
    target_language: str,
    *,
    source_language: str | None,
    voice: str | None,
    speed: float | None,
    include_embedding: bool,
    audio_format: types.InlineAudioFormat,
) -> Call[types.SpeechTranslation]:
    form = _form(
        target_language=target_language,
        source_language=source_language,
        voice=voice,
        speed=speed,
        response_format="json",
        audio_format=audio_format,
    )
    if include_embedding:
        form["include[]"] = ["embedding"]
    return _speech_call(upload, form, parsing.speech_translation)


def translate_speech_audio(
    upload: Upload,
    target_language: str,
    *,
    source_language: str | None,
    voice: str | None,
    speed: float | None,
    response_format: types.AudioFormat,
) -> Call[types.TranslatedAudio]:
    form = _form(
        target_language=target_language,
        source_language=source_language,
        voice=voice,
        speed=speed,
        response_format=response_format,
    )
    return _speech_call(
        upload, form, partial(parsing.translated_audio, audio_format=response_format)
    )


def subtitles(
    upload: Upload,
    target_language: str,
    *,
    source_language: str | None,
    response_format: types.SubtitleFormat,
    bilingual: bool,
) -> Call[str]:
    form = _form(
        target_language=target_language,
        source_language=source_language,
        response_format=f"bilingual_{response_format}" if bilingual else response_format,
    )
    return _speech_call(upload, form, parsing.text)


def transcribe(
    upload: Upload,
    *,
    language: str | None,
    prompt: str | None,
    temperature: float | None,
    word_timestamps: bool,
    model: str | None,
) -> Call[types.Transcription]:
    form = _transcription_form(
        "verbose_json", language, prompt, temperature, word_timestamps, model
    )
    return _transcription_call(upload, form, parsing.transcription)


def transcribe_as(
    upload: Upload,
    response_format: types.TranscriptFormat,
    *,
    language: str | None,
    prompt: str | None,
    temperature: float | None,
    word_timestamps: bool,
    model: str | None,
) -> Call[str]:
    form = _transcription_form(
        response_format, language, prompt, temperature, word_timestamps, model
    )
    return _transcription_call(upload, form, parsing.text)


def translate_text(
    text: str | Sequence[str], source_language: str, target_language: str, beam_size: int | None
) -> Call[list[types.TextTranslation]]:
    body: dict[str, Any] = {
        "text": text if isinstance(text, str) else list(text),
        "source_language": source_language,
        "target_language": target_language,
    }
    if beam_size is not None:
        body["beam_size"] = beam_size
    return Call("POST", "/v1/text/translations", parsing.text_translations, json=body)


def speak(
    text: str,
    *,
    voice: str | None,
    language: str | None,
    response_format: types.SpokenFormat,
    speed: float | None,
    stream: bool = False,
) -> Call[types.AudioResult]:
    fields = {
        "input": text,
        "voice": voice,
        "language": language,
        "response_format": response_format,
        "speed": speed,
        # Of a stream no header tells its length, and no file its own: not for what is kept.
        "stream_format": None if stream else "none",
    }
    body = {name: value for name, value in fields.items() if value is not None}
    parse = partial(parsing.audio_result, audio_format=response_format)
    return Call("POST", "/v1/audio/speech", parse, json=body)


def embed(uploads: Sequence[Upload], *, model: str | None) -> Call[list[types.Embedding]]:
    if not uploads:
        raise ValueError("embed needs at least one file")
    form = _form(model=model)
    return Call("POST", "/v1/audio/embeddings", parsing.embeddings, form=form, uploads=uploads)


def compare_speakers(
    first: Upload, second: Upload, *, threshold: float | None, model: str | None
) -> Call[types.SpeakerMatch]:
    form = _form(threshold=threshold, model=model)
    return _comparison_call(first, [second], form, parsing.speaker_match)


def search_speakers(
    query: Upload,
    clips: Sequence[Upload],
    *,
    top_k: int | None,
    threshold: float | None,
    model: str | None,
) -> Call[list[types.SpeakerMatch]]:
    if not clips:
        raise ValueError("search_speakers needs at least one clip to search")
    form = _form(top_k=top_k, threshold=threshold, model=model)
    return _comparison_call(query, clips, form, parsing.speaker_matches)


def models() -> Call[list[types.Model]]:
    return Call("GET", "/v1/models", parsing.models)


def model(model_id: str) -> Call[types.Model]:
    return Call("GET", f"/v1/models/{urllib.parse.quote(model_id, safe='')}", parsing.model)


def voices() -> Call[list[types.Voice]]:
    return Call("GET", "/v1/voices", parsing.voices)


def doctor() -> Call[types.Diagnosis]:
    return Call("GET", "/v1/doctor", parsing.diagnosis)


def ready() -> Call[types.Readiness]:
    return Call(
        "GET",
        "/health/ready",
        parsing.readiness,
        answers=frozenset({503}),
        retries=False,
        timeout=PROBE_TIMEOUT,
    )


# ---- parts ----------------------------------------------------------------------------


def _form(**fields: str | float | None) -> Form:
    """Form fields as text; those that are None are left out."""
    return {name: str(value) for name, value in fields.items() if value is not None}


def _transcription_form(
    response_format: types.TranscriptFormat,
    language: str | None,
    prompt: str | None,
    temperature: float | None,
    word_timestamps: bool,
    model: str | None,
) -> Form:
    form = _form(
        model=model,
        response_format=response_format,
        language=language,
        prompt=prompt,
        temperature=temperature,
    )
    if word_timestamps:
        form["timestamp_granularities[]"] = ["segment", "word"]
    return form


def _speech_call(
    upload: Upload,
    form: Form,
    parse: Callable[[httpx.Response], Result],
) -> Call[Result]:
    return Call("POST", "/v1/speech/translations", parse, form=form, uploads=[upload])


def _comparison_call(
    query: Upload,
    clips: Sequence[Upload],
    form: Form,
    parse: Callable[[httpx.Response], Result],
) -> Call[Result]:
    form = {**form, "include_embedding": "false"}
    uploads = [query, *(replace(clip, part="compare") for clip in clips)]
    return Call("POST", "/v1/audio/embeddings", parse, form=form, uploads=uploads)


def _transcription_call(
    upload: Upload,
    form: Form,
    parse: Callable[[httpx.Response], Result],
) -> Call[Result]:
    return Call("POST", "/v1/audio/transcriptions", parse, form=form, uploads=[upload])
