"""The client of Dragoman, a batched speech-translation server.

>>> from dragoman_client import Client
>>> with Client("http://127.0.0.1:8000") as client:
...     result = client.translate_speech("hello.wav", "pt")
>>> result.translation.text
'Olá.'
>>> result.audio.save("ola.wav")

:class:`AsyncClient` has the same methods, for asyncio:

>>> async with AsyncClient() as client:
...     results = await asyncio.gather(
...         *(client.translate_speech(file, "pt") for file in ("a.wav", "b.wav", "c.wav"))
...     )
>>> [result.timings.stages[2].batch_size for result in results]  # one batch of three
[3.0, 3.0, 3.0]

The results are described in :mod:`dragoman_client.types` and :mod:`dragoman_client.server_types`,
the errors in :mod:`dragoman_client.errors`.
"""

from .async_client import AsyncClient
from .async_live import AsyncLiveSession
from .async_transport import AsyncRetryTransport
from .client import Client
from .dubbing_types import Place
from .errors import (
    ConnectionFailed,
    DeadlinePassed,
    DragomanError,
    Draining,
    Forbidden,
    InvalidRequest,
    MethodNotAllowed,
    MissingPackage,
    NotAudio,
    NotFound,
    NotReady,
    Overloaded,
    QueueDeadlinePassed,
    QueueFull,
    RateLimited,
    ServerError,
    SessionLost,
    StatusError,
    TimeoutError,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnexpectedResponse,
    UnknownLanguage,
    UnknownModel,
    UnknownVoice,
    Unprocessable,
    UnsupportedPair,
)
from .glossary_types import Glossary, GlossaryTerm, KeptGlossary
from .job_types import Job, JobError, JobProgress, JobResult
from .live import LiveSession
from .live_audio import Loudspeaker, microphone
from .live_types import (
    Closed,
    Lag,
    LiveEvent,
    LiveOptions,
    Notice,
    PartialText,
    Problem,
    SentenceEnd,
    SpeechEnd,
    SpeechStart,
    TranscriptText,
    TranslatedSpeech,
    TranslatedText,
    TurnEnd,
)
from .policy import Retry, Timeout
from .server_types import Device, Diagnosis, Finding, Model, Readiness, Statistics, Voice
from .transport import RetryTransport
from .types import (
    AnswerWarning,
    Audio,
    AudioResult,
    Embedding,
    Segment,
    SpeakerMatch,
    SpeechTranslation,
    StageTiming,
    StreamedTranscript,
    TextDetection,
    TextLanguage,
    TextTranslation,
    Timings,
    TranscribedSegment,
    Transcript,
    TranscriptDelta,
    Transcription,
    TranslatedAudio,
    TranslatedSentence,
    Translation,
    Word,
)
from .version import __version__
from .voice_types import OwnVoice, SpeakerVoice, VoiceConsent

__all__ = [
    "AnswerWarning",
    "AsyncClient",
    "AsyncLiveSession",
    "AsyncRetryTransport",
    "Audio",
    "AudioResult",
    "Client",
    "Closed",
    "ConnectionFailed",
    "DeadlinePassed",
    "Device",
    "Diagnosis",
    "DragomanError",
    "Draining",
    "Embedding",
    "Finding",
    "Forbidden",
    "Glossary",
    "GlossaryTerm",
    "InvalidRequest",
    "Job",
    "JobError",
    "JobProgress",
    "JobResult",
    "KeptGlossary",
    "Lag",
    "LiveEvent",
    "LiveOptions",
    "LiveSession",
    "Loudspeaker",
    "MethodNotAllowed",
    "MissingPackage",
    "Model",
    "NotAudio",
    "NotFound",
    "NotReady",
    "Notice",
    "Overloaded",
    "OwnVoice",
    "PartialText",
    "Place",
    "Problem",
    "QueueDeadlinePassed",
    "QueueFull",
    "RateLimited",
    "Readiness",
    "Retry",
    "RetryTransport",
    "Segment",
    "SentenceEnd",
    "ServerError",
    "SessionLost",
    "SpeakerMatch",
    "SpeakerVoice",
    "SpeechEnd",
    "SpeechStart",
    "SpeechTranslation",
    "StageTiming",
    "Statistics",
    "StatusError",
    "StreamedTranscript",
    "TextDetection",
    "TextLanguage",
    "TextTranslation",
    "Timeout",
    "TimeoutError",
    "Timings",
    "TooLarge",
    "TranscribedSegment",
    "Transcript",
    "TranscriptDelta",
    "TranscriptText",
    "Transcription",
    "TranslatedAudio",
    "TranslatedSentence",
    "TranslatedSpeech",
    "TranslatedText",
    "Translation",
    "TurnEnd",
    "Unauthorized",
    "Unavailable",
    "UnexpectedResponse",
    "UnknownLanguage",
    "UnknownModel",
    "UnknownVoice",
    "Unprocessable",
    "UnsupportedPair",
    "Voice",
    "VoiceConsent",
    "Word",
    "__version__",
    "microphone",
]
