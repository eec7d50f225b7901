# Generated from async_streams.py by `make generate`: change that file.
"""Streams: the calls whose answers are read while the server makes them."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

from . import events, parsing
from .connection import Connection
from .exchange import Call, Form, form_of, read_upload
from .glossary_types import Glossary, as_text
from .types import (
    AudioFile,
    SpeechTranslation,
    StreamedAudioFormat,
    StreamedTranscript,
    TranscriptDelta,
    TranslatedSentence,
)


class Streams(Connection):
    """The part of :class:`Client` that yields what is heard or translated, piece by piece."""

    def stream_transcription(
        self,
        file: AudioFile,
        *,
        language: str | None = None,
        prompt: str | None = None,
        temperature: float | None = None,
        model: str | None = None,
        glossary: Glossary | None = None,
    ) -> Generator[TranscriptDelta | StreamedTranscript]:
        """Write down speech, and yield its text as it is heard; the last item is the whole.

        The texts of the deltas, put together, are the text of the whole. The first step of the loop
        raises what :meth:`transcribe` would raise; a later one may, too. Close the iterator to stop
        early.

        >>> for part in client.stream_transcription("hello.wav"):
        ...     if isinstance(part, TranscriptDelta):
        ...         print(part.text, end="", flush=True)
        """
        form = form_of(
            model=model,
            language=language,
            prompt=prompt,
            temperature=temperature,
            glossary=as_text(glossary),
            stream="true",
        )
        path = "/v1/audio/transcriptions"
        with contextlib.closing(self._events(path, form, file)) as told:
            for event in told:
                yield parsing.transcript_event(event)

    def stream_translation(
        self,
        file: AudioFile,
        target_language: str,
        *,
        source_language: str | None = None,
        voice: str | None = None,
        speed: float | None = None,
        audio_format: StreamedAudioFormat = "wav",
        glossary: Glossary | None = None,
    ) -> Generator[TranslatedSentence | SpeechTranslation]:
        """Translate speech, and yield each sentence once it is spoken; the last item is the whole.

        Every sentence has its own ``audio``, and those after the first begin with a short silence:
        put together they are what :meth:`translate_speech` returns. The whole has all segments and
        no audio. ``audio_format="pcm"`` has bare samples of 16 bits. Errors are as in
        :meth:`stream_transcription`.

        >>> for part in client.stream_translation("hello.wav", "pt"):
        ...     if isinstance(part, TranslatedSentence):
        ...         print(part.translation)
        """
        form = form_of(
            target_language=target_language,
            source_language=source_language,
            voice=voice,
            speed=speed,
            audio_format=audio_format,
            glossary=as_text(glossary),
            stream="true",
        )
        sentences: list[TranslatedSentence] = []
        path = "/v1/speech/translations"
        with contextlib.closing(self._events(path, form, file)) as told:
            for event in told:
                part = parsing.translation_event(event, sentences)
                if isinstance(part, TranslatedSentence):
                    sentences.append(part)
                yield part

    def _events(self, path: str, form: Form, file: AudioFile) -> Generator[events.Event]:
        """Send a form with one file, and yield the events of its answer.

        Raise the error that an event tells, and ConnectionFailed if the last event is missing.
        """
        upload = read_upload(file)
        call = Call("POST", path, parsing.text, form=form, uploads=[upload])
        reader = events.Reader()
        with contextlib.closing(self._stream(call)) as pieces:
            for piece in pieces:
                yield from reader.add(piece)
        reader.end()
