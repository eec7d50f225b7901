"""The operations under ``/v1``, ``/health`` and ``/metrics``, and of this description itself."""

from __future__ import annotations

from collections.abc import Mapping

from deployments.doctor.diagnosis import Diagnosis
from deployments.http.openapi import answers, lists, own_voices
from deployments.http.openapi.operations import (
    BYTES,
    FILE,
    FORM,
    JSON,
    TEXT,
    TEXTS,
    WORK,
    Answer,
    Form,
    Operation,
    Route,
    one_file,
)
from deployments.http.parsing import IGNORED_HEADER
from deployments.http.streaming import EVENTS
from deployments.http.synthetic import SYNTHETIC_HEADER
from deployments.http.v1.audio_translations import AudioTranslationFields
from deployments.http.v1.detections import TextDetectionFields
from deployments.http.v1.embeddings import EmbeddingFields
from deployments.http.v1.speech import SpeechFields
from deployments.http.v1.subtitles import MEDIA_TYPES as SUBTITLE_TYPES
from deployments.http.v1.text import TextTranslationFields
from deployments.http.v1.transcriptions import TranscriptionFields
from deployments.http.v1.translations import SpeechTranslationFields
from models.audio.encode import MEDIA_TYPES
from models.audio.film import MEDIA_TYPES as FILMS

SPEECH, TEXTS_TAG, VOICES, MODELS, SERVER = "Speech", "Text", "Voices", "Models", "Server"
SUBTITLES = dict.fromkeys(SUBTITLE_TYPES.values(), TEXT)
FILM_FILES = dict.fromkeys(FILMS.values(), FILE)
SPOKEN = {MEDIA_TYPES[name]: FILE for name in ("wav", "mp3", "opus", "flac")}
PLAIN, OPENMETRICS = "text/plain", "application/openmetrics-text"
CALL = ("Timeout", "Priority")
PAGE_TYPES = ("text/html", "text/javascript", "text/css", "image/svg+xml")
TAGGED = ("etag",)
SAME = Answer("It is as `If-None-Match` has it.", {}, TAGGED)
ANY_AUDIO = "A recording, in whatever FFmpeg reads."


OPERATIONS: Mapping[Route, Operation] = {
    **own_voices.OPERATIONS,
    ("POST", "/v1/speech/translations"): Operation(
        "translate_speech",
        SPEECH,
        "Translate a recording, and speak the translation",
        {
            200: Answer(
                "The translation: as JSON, spoken audio, a dubbed film or subtitles, by "
                "`response_format`; with `stream` server-sent events, one of each sentence and "
                "one of the whole.",
                {JSON: answers.SpeechTranslation, **SPOKEN, **FILM_FILES, **SUBTITLES, EVENTS: {}},
                (*WORK, *TEXTS),
            ),
            204: Answer("Audio was asked for, and nothing was said.", {}, (*WORK, *TEXTS)),
        },
        {FORM: Form(SpeechTranslationFields, one_file(ANY_AUDIO))},
        parameters=CALL,
        errors=(404, 415, 422),
    ),
    ("POST", "/v1/text/translations"): Operation(
        "translate_text",
        TEXTS_TAG,
        "Translate one text or several",
        {200: Answer("The translations.", {JSON: answers.TextTranslations}, WORK)},
        {JSON: TextTranslationFields},
        parameters=CALL,
        errors=(422,),
    ),
    ("POST", "/v1/text/detections"): Operation(
        "detect_languages",
        TEXTS_TAG,
        "Tell the languages of one text or several",
        {200: Answer("The languages.", {JSON: answers.TextDetections}, WORK)},
        {JSON: TextDetectionFields},
        parameters=CALL,
    ),
    ("POST", "/v1/audio/transcriptions"): Operation(
        "transcribe",
        SPEECH,
        "Write down what is said (OpenAI's endpoint)",
        {
            200: Answer(
                "The transcript, by `response_format`; with `stream` server-sent events.",
                {
                    JSON: answers.Transcription | answers.DiarizedTranscription,
                    PLAIN: TEXT,
                    **SUBTITLES,
                    EVENTS: {},
                },
                (*WORK, IGNORED_HEADER),
            )
        },
        {FORM: Form(TranscriptionFields, one_file(ANY_AUDIO))},
        parameters=CALL,
        errors=(404, 415, 422),
    ),
    ("POST", "/v1/audio/speech"): Operation(
        "speak",
        SPEECH,
        "Speak a text (OpenAI's endpoint)",
        {
            200: Answer(
                "The audio, sentence by sentence, or server-sent events with "
                "`stream_format` `sse`.",
                {**dict.fromkeys(MEDIA_TYPES.values(), FILE), EVENTS: {}},
                (*WORK, IGNORED_HEADER, SYNTHETIC_HEADER),
            )
        },
        {JSON: SpeechFields},
        parameters=CALL,
        errors=(404, 422),
    ),
    ("POST", "/v1/audio/embeddings"): Operation(
        "embed_voices",
        VOICES,
        "Embed the voices of clips, and compare them",
        {
            200: Answer(
                "The embeddings; bare float32 where `Accept` prefers `application/octet-stream`.",
                {JSON: lists.Embeddings, BYTES: FILE},
                WORK,
            )
        },
        {
            FORM: Form(
                EmbeddingFields,
                {
                    "file": {"type": "array", "items": FILE, "minItems": 1},
                    "compare": {"type": "array", "items": FILE},
                },
            ),
            "audio/pcm; rate=16000; channels=1": {
                **FILE,
                "description": "16-bit little-endian samples of any rate and channels that the "
                "content type names.",
            },
        },
        parameters=CALL,
        errors=(404, 415, 422),
    ),
    ("GET", "/v1/models"): Operation(
        "list_models",
        MODELS,
        "List the models that can be used now",
        {200: Answer("The models, and behind them their aliases.", {JSON: lists.Models})},
    ),
    ("GET", "/v1/models/{name:path}"): Operation(
        "show_model",
        MODELS,
        "Show one model",
        {200: Answer("The model.", {JSON: lists.Model})},
        parameters=("ModelName",),
        errors=(404,),
    ),
    ("GET", "/v1/voices"): Operation(
        "list_voices",
        VOICES,
        "List the voices",
        {200: Answer("The voices.", {JSON: lists.Voices})},
    ),
    ("GET", "/v1/audio/models"): Operation(
        "list_speaking_models",
        MODELS,
        "List the models that speak",
        {200: Answer("What `model` may name.", {JSON: lists.SpeakingModels})},
    ),
    ("GET", "/v1/audio/voices"): Operation(
        "list_named_voices",
        VOICES,
        "List what `voice` may name",
        {200: Answer("Voices, and aliases of voices.", {JSON: lists.NamedVoices})},
    ),
    ("POST", "/v1/audio/translations"): Operation(
        "translate_audio",
        SPEECH,
        "Translate a recording into English, or the language that is named (OpenAI's endpoint)",
        {
            200: Answer(
                "The translation, by `response_format`.",
                {JSON: answers.AudioTranslation, PLAIN: TEXT, **SUBTITLES},
                (*WORK, IGNORED_HEADER, "x-translated-by", "x-pivot-language"),
            )
        },
        {FORM: Form(AudioTranslationFields, one_file(ANY_AUDIO))},
        parameters=CALL,
        errors=(404, 415, 422),
    ),
    ("GET", "/v1/doctor"): Operation(
        "diagnose",
        SERVER,
        "Say whether the GPU and the models are as they should be",
        {200: Answer("What was looked at, and what to do.", {JSON: Diagnosis})},
    ),
    ("GET", "/health/live"): Operation(
        "live",
        SERVER,
        "Say that the process answers",
        {200: Answer("It does.", {JSON: lists.Live})},
        is_probe=True,
    ),
    ("GET", "/health/ready"): Operation(
        "ready",
        SERVER,
        "Say whether requests may be sent",
        {
            200: Answer("They may.", {JSON: lists.Ready}),
            503: Answer("They may not, and why.", {JSON: lists.Ready}, ("retry-after",)),
        },
        is_probe=True,
    ),
    ("GET", "/metrics"): Operation(
        "metrics",
        SERVER,
        "Show figures for Prometheus",
        {
            200: Answer(
                "The figures, in the format that `Accept` prefers.",
                {PLAIN: TEXT, OPENMETRICS: TEXT},
                ("vary",),
            )
        },
        is_probe=True,
    ),
    ("GET", "/openapi.json"): Operation(
        "describe",
        SERVER,
        "Show this description",
        {200: Answer("An OpenAPI 3.1 document.", {JSON: {"type": "object"}}, TAGGED), 304: SAME},
    ),
    ("GET", "/"): Operation(
        "page",
        SERVER,
        "Show the page to speak into",
        {200: Answer("The page.", {"text/html": TEXT}, TAGGED), 304: SAME},
    ),
    ("GET", "/page/{name:path}"): Operation(
        "page_file",
        SERVER,
        "Send a file of the page to speak into",
        {200: Answer("The file.", dict.fromkeys(PAGE_TYPES, TEXT), TAGGED), 304: SAME},
        parameters=("PageFile",),
        errors=(404,),
    ),
    ("GET", "/docs"): Operation(
        "read",
        SERVER,
        "Show a page to read this description",
        {200: Answer("The page.", {"text/html": TEXT}, TAGGED), 304: SAME},
    ),
    ("GET", "/docs/{name}"): Operation(
        "read_asset",
        SERVER,
        "Send a file of that page",
        {
            200: Answer("The file.", {"text/javascript": TEXT, "text/css": TEXT}, TAGGED),
            304: SAME,
        },
        parameters=("Asset",),
        errors=(404,),
    ),
}
