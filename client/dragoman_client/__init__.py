"""The client of Dragoman, a batched speech-translation server.

>>> from dragoman_client import Client
>>> with Client("http://127.0.0.1:8000") as client:
...     result = client.translate_speech("hello.wav", "pt")
>>> result.translation.text
'Olá.'
>>> result.audio.save("ola.wav")

:class:`Client` and :class:`AsyncClient` have the same methods. Their results are described in
:mod:`dragoman_client.types`, what they raise in :mod:`dragoman_client.errors`.
"""

from .async_client import AsyncClient
from .client import Client
from .errors import (
    ConnectionFailed,
    DeadlinePassed,
    DragomanError,
    Draining,
    InvalidRequest,
    MethodNotAllowed,
    NotAudio,
    NotFound,
    NotReady,
    Overloaded,
    QueueDeadlinePassed,
    QueueFull,
    RateLimited,
    ServerError,
    StatusError,
    TimeoutError,
    TooLarge,
    Unavailable,
    UnexpectedResponse,
    UnknownLanguage,
    UnknownModel,
    UnknownVoice,
    Unprocessable,
    UnsupportedPair,
)
from .transport import AsyncRetryTransport, Retry, RetryTransport, Timeout
from .types import (
    Audio,
    AudioResult,
    Device,
    Diagnosis,
    Embedding,
    Finding,
    Model,
    Readiness,
    Segment,
    SpeakerMatch,
    SpeechTranslation,
    StageTiming,
    Statistics,
    TextTranslation,
    Timings,
    TranscribedSegment,
    Transcript,
    Transcription,
    TranslatedAudio,
    Translation,
    Voice,
    Word,
)
from .version import __version__

__all__ = [
    "AsyncClient",
    "AsyncRetryTransport",
    "Audio",
    "AudioResult",
    "Client",
    "ConnectionFailed",
    "DeadlinePassed",
    "Device",
    "Diagnosis",
    "DragomanError",
    "Draining",
    "Embedding",
    "Finding",
    "InvalidRequest",
    "MethodNotAllowed",
    "Model",
    "NotAudio",
    "NotFound",
    "NotReady",
    "Overloaded",
    "QueueDeadlinePassed",
    "QueueFull",
    "RateLimited",
    "Readiness",
    "Retry",
    "RetryTransport",
    "Segment",
    "ServerError",
    "SpeakerMatch",
    "SpeechTranslation",
    "StageTiming",
    "Statistics",
    "StatusError",
    "TextTranslation",
    "Timeout",
    "TimeoutError",
    "Timings",
    "TooLarge",
    "TranscribedSegment",
    "Transcript",
    "Transcription",
    "TranslatedAudio",
    "Translation",
    "Unavailable",
    "UnexpectedResponse",
    "UnknownLanguage",
    "UnknownModel",
    "UnknownVoice",
    "Unprocessable",
    "UnsupportedPair",
    "Voice",
    "Word",
    "__version__",
]
