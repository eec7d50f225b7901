"""What transcripts have in common in every form: usage, languages, logprobs; and their events."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from deployments.graph.context import Context
from deployments.graph.plan import TranscribeOptions
from deployments.graph.sentences import UNSURE_PROBABILITY
from deployments.graph.transcripts import RunningText, joined
from deployments.http.parsing import warnings_json
from models.asr.decoding import UNSPACED_LANGUAGES
from models.types import Segment, Transcript

FRAMES_A_SECOND = 100  # of Whisper's mel spectrogram, the unit of ``seek``
LEAST_PROBABILITY = 1e-9  # of a word: JSON has no infinity


def usage_json(duration_s: float) -> dict[str, Any]:
    """Count a recording as OpenAI does: by its seconds."""
    return {"type": "duration", "seconds": round(duration_s, 3)}


def languages_json(heard: Transcript) -> list[dict[str, str]]:
    """List the languages that are surely heard, the one of most of it first."""
    return [{"code": code} for code, sure in heard.languages if sure >= UNSURE_PROBABILITY]


def logprobs_json(segments: Sequence[Segment]) -> list[dict[str, Any]]:
    """List each word as OpenAI lists tokens: the recogniser tells how likely words are."""
    return [
        {
            "token": word.text,
            "bytes": list(word.text.encode()),
            "logprob": round(math.log(max(word.probability, LEAST_PROBABILITY)), 4),
        }
        for segment in segments
        for word in segment.words or ()
    ]


def segment_json(number: int, segment: Segment, written_in: str | None = None) -> dict[str, Any]:
    """Show a segment in OpenAI's fields. ``written_in``: its text's language, if not its own."""
    glue = "" if (written_in or segment.language) in UNSPACED_LANGUAGES else " "
    return {
        "id": number,
        "seek": round(segment.start_s * FRAMES_A_SECOND),
        "start": round(segment.start_s, 3),
        "end": round(segment.end_s, 3),
        "text": glue + segment.text,  # as OpenAI has it: the texts joined are the text
        "tokens": segment.tokens,
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
        "language": segment.language,
    }


async def transcript_bodies(
    windows: AsyncGenerator[Transcript],
    options: TranscribeOptions,
    duration_s: float,
    context: Context,
    *,
    logprobs: bool,
) -> AsyncGenerator[Mapping[str, Any]]:
    """Make a ``transcript.text.delta`` of each window, then ``transcript.text.done``.

    The deltas put together are the text. ``duration_s`` is the recording's.
    """
    running = RunningText(options.written_in)
    parts: list[Transcript] = []
    async with aclosing(windows):
        async for part in windows:
            parts.append(part)
            if delta := running.go_on(part):
                body: dict[str, Any] = {"type": "transcript.text.delta", "delta": delta}
                yield body | ({"logprobs": logprobs_json(part.segments)} if logprobs else {})
    heard = joined(parts, options.language, options.written_in)
    done = done_json(heard, duration_s, context)
    if logprobs:
        done["logprobs"] = logprobs_json(heard.segments)
    yield done


def done_json(heard: Transcript, duration_s: float, context: Context) -> dict[str, Any]:
    """Make the ``transcript.text.done`` of a recording."""
    done: dict[str, Any] = {
        "type": "transcript.text.done",
        "text": heard.text,
        "languages": languages_json(heard),
        "usage": usage_json(duration_s),
        "timings": context.timings.as_json(),
    }
    if context.warnings:
        done["warnings"] = warnings_json(context.warnings)
    return done
