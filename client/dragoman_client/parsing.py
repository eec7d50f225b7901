"""Read the API's answers into the types that the client returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar

import httpx
import msgspec
from msgspec import structs

from . import errors, glossary_types, headers, job_types, server_types, types, voice_types

Row: TypeAlias = dict[str, Any]
Body = TypeVar("Body")


class _Listing(msgspec.Struct):
    data: list[Row]


class _Texts(msgspec.Struct):
    translations: list[Row]
    timings: types.Timings


class _Detections(msgspec.Struct):
    detections: list[Row]


class _Embeddings(msgspec.Struct):
    data: list[Row]
    model: str
    timings: types.Timings


class _Comparisons(msgspec.Struct):
    comparisons: list[Row]
    model: str
    timings: types.Timings
    threshold: float | None = None


def request_id(response: httpx.Response) -> str:
    """Return the id that the server answered with, or else the one that was sent."""
    sent: str = response.request.headers.get(headers.REQUEST_ID, "")
    return str(response.headers.get(headers.REQUEST_ID, sent))


def speech_translation(response: httpx.Response) -> types.SpeechTranslation:
    body = {**_body(response, Row), "request_id": request_id(response)}
    return msgspec.convert(body, types.SpeechTranslation)


def translated_audio(response: httpx.Response, audio_format: str) -> types.TranslatedAudio:
    def text(name: str) -> str:
        return headers.decode_text(response.headers.get(name))

    similarity = response.headers.get("x-voice-similarity")
    return types.TranslatedAudio(
        audio=response.content,
        format=audio_format,
        server_timing_ms=_server_timing_ms(response),
        request_id=request_id(response),
        transcript=text("x-transcript"),
        translation=text("x-translation"),
        source_language=text("x-source-language") or None,
        target_language=text("x-target-language") or None,
        voice=text("x-voice") or None,
        texts_truncated=text("x-text-truncated") == "true",
        pivot=text("x-pivot-language") or None,
        voice_similarity=None if similarity is None else float(similarity),
        warning_codes=tuple(filter(None, response.headers.get("x-warnings", "").split(", "))),
    )


def audio_result(response: httpx.Response, audio_format: str) -> types.AudioResult:
    return types.AudioResult(
        response.content, audio_format, _server_timing_ms(response), request_id(response)
    )


def glossary(response: httpx.Response) -> glossary_types.KeptGlossary:
    return _body(response, glossary_types.KeptGlossary)


def glossaries(response: httpx.Response) -> list[glossary_types.KeptGlossary]:
    rows = _body(response, _Listing).data
    return msgspec.convert(rows, list[glossary_types.KeptGlossary])


def nothing(response: httpx.Response) -> None:
    """Read no answer."""


def text(response: httpx.Response) -> str:
    """Read a body of text: the API writes UTF-8, even where no content type says so."""
    return response.content.decode("utf-8")


def transcription(response: httpx.Response) -> types.Transcription:
    of_the_call = {
        "server_timing_ms": _server_timing_ms(response),
        "request_id": request_id(response),
    }
    return msgspec.convert({**_body(response, Row), **of_the_call}, types.Transcription)


def transcript_event(event: Row) -> types.TranscriptDelta | types.StreamedTranscript:
    """Read one event of a streamed transcript. Raise UnexpectedResponse."""
    if event.get("type") == "transcript.text.delta":
        return _event(event, types.TranscriptDelta)
    usage, languages = event.get("usage") or {}, event.get("languages") or []
    body = {
        **event,
        "duration_s": usage.get("seconds"),
        "languages": [row.get("code") for row in languages],
    }
    return _event(body, types.StreamedTranscript)


def translation_event(
    event: Row, sentences: Sequence[types.TranslatedSentence]
) -> types.TranslatedSentence | types.SpeechTranslation:
    """Read one event of a streamed translation, whose whole has the sentences before it."""
    if event.get("type") == "speech.translation.sentence":
        return _event(event, types.TranslatedSentence)
    body = {**event, "segments": [], "request_id": event.get("id")}
    return structs.replace(_event(body, types.SpeechTranslation), segments=tuple(sentences))


def _event(event: Row, kind: type[Body]) -> Body:
    try:
        return msgspec.convert(event, kind)
    except msgspec.ValidationError as error:
        message = f"the server sent no event of Dragoman's: {error}"
        raise errors.UnexpectedResponse(message) from error


def text_translations(response: httpx.Response) -> list[types.TextTranslation]:
    body = _body(response, _Texts)
    of_the_call = {"timings": body.timings, "request_id": request_id(response)}
    rows = [{**row, **of_the_call} for row in body.translations]
    return msgspec.convert(rows, list[types.TextTranslation])


def text_detections(response: httpx.Response) -> list[types.TextDetection]:
    of_the_call = {"request_id": request_id(response)}
    rows = [{**row, **of_the_call} for row in _body(response, _Detections).detections]
    return msgspec.convert(rows, list[types.TextDetection])


def embeddings(response: httpx.Response) -> list[types.Embedding]:
    """Read the embeddings in the order of the files that were sent."""
    body = _body(response, _Embeddings)
    of_the_call = {
        "model": body.model,
        "timings": body.timings,
        "request_id": request_id(response),
    }
    rows = msgspec.convert([{**row, **of_the_call} for row in body.data], list[types.Embedding])
    return sorted(rows, key=lambda row: row.index)


def speaker_matches(response: httpx.Response) -> list[types.SpeakerMatch]:
    """Read the clips that one clip was compared with, nearest first."""
    body = _body(response, _Comparisons)
    of_the_call = {
        "model": body.model,
        "timings": body.timings,
        "request_id": request_id(response),
    }
    ranked = sorted(body.comparisons, key=lambda row: int(row.get("rank", 0)))
    rows = [{"threshold": body.threshold, **row, **of_the_call} for row in ranked]
    return msgspec.convert(rows, list[types.SpeakerMatch])


def speaker_match(response: httpx.Response) -> types.SpeakerMatch:
    (match,) = speaker_matches(response)
    return match


def job(response: httpx.Response) -> job_types.Job:
    return _body(response, job_types.Job)


def jobs(response: httpx.Response) -> list[job_types.Job]:
    return msgspec.convert(_body(response, _Listing).data, list[job_types.Job])


def job_result(response: httpx.Response) -> job_types.JobResult:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip()
    return job_types.JobResult(response.content, media_type, request_id(response))


def models(response: httpx.Response) -> list[server_types.Model]:
    """Read the models without their aliases, which would count everything twice."""
    rows = [row for row in _body(response, _Listing).data if not row.get("alias_of")]
    return msgspec.convert(rows, list[server_types.Model])


def model(response: httpx.Response) -> server_types.Model:
    return _body(response, server_types.Model)


def voices(response: httpx.Response) -> list[server_types.Voice]:
    return msgspec.convert(_body(response, _Listing).data, list[server_types.Voice])


def own_voices(response: httpx.Response) -> list[voice_types.OwnVoice]:
    """Read the caller's own voices of all that there are."""
    rows = [row for row in _body(response, _Listing).data if row.get("kind") == "own"]
    return msgspec.convert(rows, list[voice_types.OwnVoice])


def own_voice(response: httpx.Response) -> voice_types.OwnVoice:
    return _body(response, voice_types.OwnVoice)


def consents(response: httpx.Response) -> list[voice_types.VoiceConsent]:
    return msgspec.convert(_body(response, _Listing).data, list[voice_types.VoiceConsent])


def consent(response: httpx.Response) -> voice_types.VoiceConsent:
    return _body(response, voice_types.VoiceConsent)


def consent_texts(response: httpx.Response) -> dict[str, str]:
    """Read the texts of consent, by language."""
    rows = _body(response, _Listing).data
    return {str(row["language"]): str(row["text"]) for row in rows}


def content(response: httpx.Response) -> bytes:
    """Read a file as it is."""
    return response.content


def readiness(response: httpx.Response) -> server_types.Readiness:
    """Read the answer to a probe: a 503 is one, too, not a failure to answer."""
    return _body(response, server_types.Readiness)


def diagnosis(response: httpx.Response) -> server_types.Diagnosis:
    return _body(response, server_types.Diagnosis)


def _body(response: httpx.Response, kind: type[Body]) -> Body:
    return msgspec.json.decode(response.content, type=kind)


def _server_timing_ms(response: httpx.Response) -> dict[str, float]:
    return headers.server_timing_ms(response.headers.get("server-timing"))
