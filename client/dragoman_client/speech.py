# Generated from async_speech.py by `make generate`: change that file.
"""Speech: the calls that send speech and return its translation or transcript."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import httpx

from . import parsing
from .connection import Connection
from .dubbing_types import Background, DubFormat
from .exchange import Call, Form, Result, form_of, read_upload
from .glossary_types import Glossary, as_text
from .types import (
    AudioFile,
    AudioFormat,
    InlineAudioFormat,
    SpeechTranslation,
    SubtitleFormat,
    TranscriptFormat,
    Transcription,
    TranslatedAudio,
)

TRANSLATIONS = "/v1/speech/translations"
TRANSCRIPTIONS = "/v1/audio/transcriptions"


class Speech(Connection):
    """The part of :class:`Client` that takes speech."""

    def translate_speech(
        self,
        file: AudioFile,
        target_language: str,
        *,
        source_language: str | None = None,
        voice: str | None = None,
        speed: float | None = None,
        include_embedding: bool = False,
        audio_format: InlineAudioFormat = "wav",
        fit: Literal["duration"] | None = None,
        background: Background | None = None,
        glossary: Glossary | None = None,
    ) -> SpeechTranslation:
        """Translate speech into speech, and return the texts, the times and the audio.

        Languages are ISO 639-1 codes or other names of a language, such as ``pt-BR`` or
        ``Portuguese``; without ``source_language`` the server detects it. ``voice`` is one of
        :meth:`voices`, or ``source`` for the speaker's own; ``speed`` is from 0.25 to 4.
        ``audio_format="none"`` asks for the texts alone, ``include_embedding`` for the speaker's
        embedding as well. With ``fit="duration"`` the audio is as long as the file, and each
        sentence is heard where it was said; ``background="duck"`` keeps what is recorded under it.
        ``glossary`` holds terms that must come out right: its id, or itself.

        >>> result = client.translate_speech("hello.wav", "pt", speed=1.1)
        >>> result.transcript.text, result.translation.text
        ('Hello.', 'Olá.')
        >>> result.audio.save("ola.wav")
        >>> [(stage.stage, stage.wall_ms) for stage in result.timings.stages]
        [('decode', 4.1), ('vad', 9.8), ('asr', 182.0), ('nmt', 21.5), ('tts', 240.3)]
        """
        form = form_of(
            target_language=target_language,
            source_language=source_language,
            voice=voice,
            speed=speed,
            response_format="json",
            audio_format=audio_format,
            fit=fit,
            background=background,
            glossary=as_text(glossary),
        )
        if include_embedding:
            form["include[]"] = ["embedding"]
        parse = parsing.speech_translation
        return self._post(TRANSLATIONS, parse, form, file)

    def translate_speech_audio(
        self,
        file: AudioFile,
        target_language: str,
        *,
        source_language: str | None = None,
        voice: str | None = None,
        speed: float | None = None,
        response_format: AudioFormat = "wav",
        glossary: Glossary | None = None,
    ) -> TranslatedAudio:
        """Translate speech into an audio file, without the base64 of JSON, which adds a third.

        >>> spoken = client.translate_speech_audio("hello.wav", "pt", response_format="opus")
        >>> spoken.save("ola.ogg")
        >>> spoken.translation
        'Olá.'
        """
        form = form_of(
            target_language=target_language,
            source_language=source_language,
            voice=voice,
            speed=speed,
            response_format=response_format,
            glossary=as_text(glossary),
        )
        parse = partial(parsing.translated_audio, audio_format=response_format)
        return self._post(TRANSLATIONS, parse, form, file)

    def dub(
        self,
        file: AudioFile,
        target_language: str,
        *,
        source_language: str | None = None,
        voice: str | None = None,
        response_format: DubFormat = "mp4",
        background: Background = "none",
        subtitles: bool = False,
        bilingual: bool = False,
    ) -> TranslatedAudio:
        """Dub a film, or a recording: each sentence is spoken where it was said.

        A film (``mp4``, ``mkv``, ``webm``) keeps its pictures as they are, and its own sound as
        the second track; ``subtitles`` are a stream in it. ``background="duck"`` keeps what is
        recorded under the voice, lower.

        >>> film = client.dub("film.mp4", "pt", subtitles=True)
        >>> film.save("film.pt.mp4")
        >>> film.warning_codes
        ('dub_shifted',)
        """
        form = form_of(
            target_language=target_language,
            source_language=source_language,
            voice=voice,
            response_format=response_format,
            fit="duration",
            background=background,
            subtitles="true" if subtitles else None,
            bilingual="true" if bilingual else None,
        )
        parse = partial(parsing.translated_audio, audio_format=response_format)
        return self._post(TRANSLATIONS, parse, form, file)

    def subtitles(
        self,
        file: AudioFile,
        target_language: str,
        *,
        source_language: str | None = None,
        response_format: SubtitleFormat = "srt",
        bilingual: bool = False,
        glossary: Glossary | None = None,
    ) -> str:
        """Translate speech into subtitles; ``bilingual`` puts the spoken text above them.

        >>> print(client.subtitles("hello.wav", "pt"))
        1
        00:00:00,120 --> 00:00:00,900
        Olá.
        """
        form = form_of(
            target_language=target_language,
            source_language=source_language,
            response_format=response_format,
            bilingual="true" if bilingual else None,
            glossary=as_text(glossary),
        )
        return self._post(TRANSLATIONS, parsing.text, form, file)

    def transcribe(
        self,
        file: AudioFile,
        *,
        language: str | None = None,
        prompt: str | None = None,
        temperature: float | None = None,
        word_timestamps: bool = False,
        model: str | None = None,
        glossary: Glossary | None = None,
    ) -> Transcription:
        """Write down speech in its own language, with the times of its segments.

        ``prompt`` is a text that could stand before it: it guides names and style. ``model`` is
        one of :meth:`models`; without it the server takes its first that transcribes.

        >>> heard = client.transcribe("hello.wav", word_timestamps=True)
        >>> [(word.word, word.start_s) for word in heard.words]
        [('Hello.', 0.12)]
        """
        form = _form(
            "verbose_json", language, prompt, temperature, word_timestamps, model, glossary
        )
        parse = parsing.transcription
        return self._post(TRANSCRIPTIONS, parse, form, file)

    def transcribe_as(
        self,
        file: AudioFile,
        response_format: TranscriptFormat,
        *,
        language: str | None = None,
        prompt: str | None = None,
        temperature: float | None = None,
        word_timestamps: bool = False,
        model: str | None = None,
        glossary: Glossary | None = None,
    ) -> str:
        """Do as :meth:`transcribe` does, and return the document as the server writes it.

        >>> Path("hello.vtt").write_text(client.transcribe_as("hello.wav", "vtt"))
        """
        form = _form(
            response_format, language, prompt, temperature, word_timestamps, model, glossary
        )
        return self._post(TRANSCRIPTIONS, parsing.text, form, file)

    def translate_audio(
        self,
        file: AudioFile,
        response_format: TranscriptFormat = "text",
        *,
        target_language: str | None = None,
        language: str | None = None,
        prompt: str | None = None,
        temperature: float | None = None,
        model: str | None = None,
    ) -> str:
        """Translate speech into text, and return the document as the server writes it.

        Without a ``target_language`` the recogniser itself translates into English; with one it
        transcribes, and a translation model goes on. ``language`` is the one that is spoken.

        >>> print(client.translate_audio("ola.wav"))
        Hello.
        """
        form = form_of(
            model=model,
            response_format=response_format,
            target_language=target_language,
            language=language,
            prompt=prompt,
            temperature=temperature,
        )
        return self._post("/v1/audio/translations", parsing.text, form, file)

    def _post(
        self, path: str, parse: Callable[[httpx.Response], Result], form: Form, file: AudioFile
    ) -> Result:
        """Send a form with one file."""
        upload = read_upload(file)
        return self._send(Call("POST", path, parse, form=form, uploads=[upload]))


def _form(
    response_format: TranscriptFormat,
    language: str | None,
    prompt: str | None,
    temperature: float | None,
    word_timestamps: bool,
    model: str | None,
    glossary: Glossary | None,
) -> Form:
    form = form_of(
        model=model,
        response_format=response_format,
        language=language,
        prompt=prompt,
        temperature=temperature,
        glossary=as_text(glossary),
    )
    if word_timestamps:
        form["timestamp_granularities[]"] = ["segment", "word"]
    return form
