"""From the API's answers to the types: pure functions over responses."""

from __future__ import annotations

import base64
from typing import Any

import httpx

from . import headers, types

Json = dict[str, Any]


def request_id(response: httpx.Response) -> str:
    """The server's word, or else the id that was sent."""
    sent: str = response.request.headers.get(headers.REQUEST_ID, "")
    return str(response.headers.get(headers.REQUEST_ID, sent))


def speech_translation(response: httpx.Response) -> types.SpeechTranslation:
    body: Json = response.json()
    transcript, translation = body["transcript"], body["translation"]
    audio, embedding = body.get("audio"), body.get("embedding")
    return types.SpeechTranslation(
        id=body["id"],
        duration_s=float(body["duration_s"]),
        transcript=types.Transcript(
            transcript["text"], transcript["language"], transcript.get("language_probability")
        ),
        translation=types.Translation(
            translation["text"], translation["language"], translation.get("pivot")
        ),
        segments=tuple(_segment(segment) for segment in body["segments"]),
        voice=body.get("voice"),
        audio=None if audio is None else _audio(audio),
        embedding=None if embedding is None else tuple(embedding),
        timings=_timings(body["timings"]),
        request_id=request_id(response),
        voice_similarity=body.get("voice_similarity"),
        warnings=_warnings(body),
    )


def translated_audio(response: httpx.Response, audio_format: str) -> types.TranslatedAudio:
    def text(name: str) -> str:
        return headers.decode_text(response.headers.get(name))

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
        voice_similarity=float(response.headers["x-voice-similarity"])
        if "x-voice-similarity" in response.headers
        else None,
    )


def audio_result(response: httpx.Response, audio_format: str) -> types.AudioResult:
    return types.AudioResult(
        audio=response.content,
        format=audio_format,
        server_timing_ms=_server_timing_ms(response),
        request_id=request_id(response),
    )


def text(response: httpx.Response) -> str:
    """A body of text; the API writes UTF-8, also where the content type does not say so."""
    return response.content.decode("utf-8")


def transcription(response: httpx.Response) -> types.Transcription:
    body: Json = response.json()
    return types.Transcription(
        text=body["text"],
        language=body["language"],
        duration_s=float(body["duration"]),
        segments=tuple(_transcribed_segment(segment) for segment in body.get("segments") or ()),
        words=tuple(
            types.Word(word["word"], float(word["start"]), float(word["end"]))
            for word in body.get("words") or ()
        ),
        server_timing_ms=_server_timing_ms(response),
        request_id=request_id(response),
        warnings=_warnings(body),
    )


def text_translations(response: httpx.Response) -> list[types.TextTranslation]:
    body: Json = response.json()
    timings, call = _timings(body["timings"]), request_id(response)
    return [
        types.TextTranslation(
            text=row["text"],
            source_language=row["source_language"],
            target_language=row["target_language"],
            timings=timings,
            request_id=call,
            pivot=row.get("pivot"),
            warnings=_warnings(row),
        )
        for row in body["translations"]
    ]


def embeddings(response: httpx.Response) -> list[types.Embedding]:
    body: Json = response.json()
    timings, call = _timings(body["timings"]), request_id(response)
    return [
        types.Embedding(
            index=row["index"],
            values=tuple(row["embedding"]),
            duration_s=float(row["duration_s"]),
            speech_s=_number(row.get("speech_s")),
            model=body["model"],
            timings=timings,
            request_id=call,
        )
        for row in sorted(body["data"], key=lambda row: int(row["index"]))
    ]


def speaker_matches(response: httpx.Response) -> list[types.SpeakerMatch]:
    """The clips that one clip was compared with, nearest first."""
    body: Json = response.json()
    timings, call = _timings(body["timings"]), request_id(response)
    return [
        types.SpeakerMatch(
            index=row["compare_index"],
            cosine=float(row["cosine"]),
            same_speaker=row["same_speaker"],
            threshold=_number(row.get("threshold", body["threshold"])),
            speech_s=_number(row.get("speech_s")),
            model=body["model"],
            timings=timings,
            request_id=call,
        )
        for row in sorted(body["comparisons"], key=lambda row: int(row["rank"]))
    ]


def speaker_match(response: httpx.Response) -> types.SpeakerMatch:
    (match,) = speaker_matches(response)
    return match


def models(response: httpx.Response) -> list[types.Model]:
    """Without the rows of their other names, which would count everything twice."""
    return [_model(row) for row in response.json()["data"] if not row.get("alias_of")]


def model(response: httpx.Response) -> types.Model:
    return _model(response.json())


def voices(response: httpx.Response) -> list[types.Voice]:
    names = ("id", "language", "engine", "model", "sample_rate_hz")
    return [types.Voice(*(row[name] for name in names)) for row in response.json()["data"]]


def readiness(response: httpx.Response) -> types.Readiness:
    """Also of a 503: it is an answer to this question, not a failure to answer it."""
    body: Json = response.json()
    return types.Readiness(ready=body["ready"], models=dict(body.get("models") or {}))


def diagnosis(response: httpx.Response) -> types.Diagnosis:
    body: Json = response.json()
    return types.Diagnosis(
        hostname=body["hostname"],
        status=body["status"],
        verdict=body["verdict"],
        findings=tuple(
            types.Finding(row["check"], row["status"], row["found"], row.get("fix"))
            for row in body["findings"]
        ),
    )


# ---- parts ----------------------------------------------------------------------------


def _segment(row: Json) -> types.Segment:
    return types.Segment(
        id=row["id"],
        start_s=float(row["start_s"]),
        end_s=float(row["end_s"]),
        text=row["text"],
        translation=row["translation"],
        language=row.get("language"),
        avg_logprob=row.get("avg_logprob"),
        no_speech_prob=row.get("no_speech_prob"),
        warnings=_warnings(row),
    )


def _warnings(row: Json) -> tuple[types.AnswerWarning, ...]:
    return tuple(
        types.AnswerWarning(each["code"], each["message"]) for each in row.get("warnings", ())
    )


def _audio(row: Json) -> types.Audio:
    return types.Audio(
        data=base64.b64decode(row["data"], validate=True),
        format=row["format"],
        sample_rate_hz=row["sample_rate_hz"],
        duration_s=float(row["duration_s"]),
    )


def _timings(row: Json) -> types.Timings:
    stages = tuple(
        types.StageTiming(
            stage=stage["stage"],
            model=stage.get("model"),
            wall_ms=float(stage["ms"]),
            queue_ms=float(stage["queue_ms"]),
            execution_ms=float(stage["execution_ms"]),
            items=stage["items"],
            batch_size=float(stage["batch_size"]),
        )
        for stage in row["stages"]
    )
    return types.Timings(total_ms=float(row["total_ms"]), stages=stages)


def _server_timing_ms(response: httpx.Response) -> dict[str, float]:
    return headers.server_timing_ms(response.headers.get("server-timing"))


def _transcribed_segment(row: Json) -> types.TranscribedSegment:
    return types.TranscribedSegment(
        id=row["id"],
        start_s=float(row["start"]),
        end_s=float(row["end"]),
        text=row["text"].strip(),
        temperature=float(row["temperature"]),
        avg_logprob=float(row["avg_logprob"]),
        compression_ratio=float(row["compression_ratio"]),
        no_speech_prob=float(row["no_speech_prob"]),
        language=row.get("language"),
    )


def _model(row: Json) -> types.Model:
    device, statistics = row["device"], row["statistics"]
    return types.Model(
        id=row["id"],
        kind=row["kind"],
        engine=row["engine"],
        weights=row["weights"],
        licence=row["licence"],
        languages=tuple(row.get("languages") or ()),
        pairs=tuple((source, target) for source, target in row.get("pairs") or ()),
        voices=tuple(row.get("voices") or ()),
        embedding_size=row.get("embedding_size"),
        replicas=row["replicas"],
        device=types.Device(
            requested=device["requested"],
            actual=device["actual"],
            reason=device["reason"],
            library=device["library"],
            precision=device["precision"],
            threads=device.get("threads"),
            gpu_name=device.get("gpu_name"),
            memory_bytes=device.get("memory_bytes"),
            load_s=device.get("load_s"),
        ),
        statistics=types.Statistics(
            items=statistics["items"],
            batches=statistics["batches"],
            mean_batch_size=float(statistics["mean_batch_size"]),
            failures=statistics["failures"],
            busy_s=float(statistics["busy_s"]),
        ),
        aliases=tuple(row.get("aliases") or ()),
    )


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)
