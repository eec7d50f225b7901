"""Translated speech as server-sent events: each sentence with its audio, then the whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, TypeAlias

from deployments.graph.pipeline import SpeechTranslation
from deployments.graph.sentences import Sentence
from deployments.http.parsing import blaming
from models.audio import decode
from models.types import Audio

SENTENCE, WHOLE = "speech.translation.sentence", "speech.translation.done"
AudioJson: TypeAlias = Callable[[Audio | None], Awaitable[dict[str, Any] | None]]
Part: TypeAlias = Sentence | SpeechTranslation


async def translation_bodies(
    parts: AsyncGenerator[Part],
    gap_s: float,
    sentence_json: Callable[[int, Sentence], dict[str, Any]],
    audio_json: AudioJson,
    done_json: Callable[[SpeechTranslation], Mapping[str, Any]],
) -> AsyncGenerator[Mapping[str, Any]]:
    """Make an event of each sentence, and a last one of the whole.

    The audio of every sentence but the first begins with the silence between sentences, so that
    all of it, put together, is what is answered at once without a stream.
    """
    count, spoken = 0, False
    async with aclosing(parts):
        with blaming("text", "target_language"):  # what cannot be spoken is the translation
            async for part in parts:
                if isinstance(part, SpeechTranslation):
                    yield {"type": WHOLE, **done_json(part)}
                    continue
                audio = part.audio if part.audio is not None and len(part.audio.samples) else None
                if audio is not None and spoken:
                    audio = decode.after_silence(audio, gap_s)
                spoken = spoken or audio is not None
                body = sentence_json(count, part)
                yield {"type": SENTENCE, **body, "audio": await audio_json(audio)}
                count += 1
