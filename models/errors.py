"""The error tree: each class says what went wrong, whatever protocol the caller speaks.

DragomanError
├── CallerError                 up to the caller: the request, its key, or how much it asks for
│   ├── InvalidRequest          malformed; ``param`` names the field
│   │   ├── EmptyCommit         there is no audio to end a turn with
│   │   ├── LoadFailed          a model cannot be loaded so; what served before still does
│   │   └── UnknownLanguage
│   ├── Unauthorized            a key that is not known
│   │   └── NoKey
│   ├── Forbidden               refused, whoever asks again
│   │   ├── InsufficientScope   the key is for other things
│   │   ├── KeyRequired         without keys, this is for the server's own machine
│   │   ├── HostNotAllowed      the request calls the server by a name that it does not have
│   │   ├── OriginNotAllowed    a page of another site asks
│   │   ├── ModelControlOff
│   │   └── LoadNotAllowed      a model may not be loaded with that
│   ├── NotFound                unknown path
│   │   ├── UnknownModel
│   │   ├── UnknownVoice
│   │   └── UnknownSession
│   ├── MethodNotAllowed        the path is known and takes other methods
│   ├── UpgradeRequired         the path is a WebSocket, and this is no handshake
│   ├── BodyTooSlow             the body did not come in its time, or not at the least rate
│   ├── TooLarge                body, audio or text over a limit
│   │   └── StorageFull         the caller keeps as much at the server as one may
│   ├── NotAudio                no audio that can be decoded
│   ├── NameTaken               another open session has that name
│   ├── JobNotDone              a job has no result yet, or none
│   ├── SessionEnded            a live session was ended by an administrator
│   │   ├── SessionExpired      it was open as long as one may be
│   │   ├── SessionIdle         no audio came for too long
│   │   └── ReaderTooSlow       who listens does not read
│   ├── UnsupportedEncoding     a body compressed as nothing here decompresses
│   ├── Unprocessable           understood, but impossible here
│   │   ├── UnsupportedPair     no model translates this pair; the message lists those there are
│   │   └── NothingKept         the server has no folder to keep things of callers in
│   └── RateLimited             more than its key may ask a minute; again after ``retry_after_s``
│       ├── TooManyRunning      more than it may have running
│       └── QuotaUsed           more than it may use a day
├── Unavailable                 the same request may succeed later
│   ├── TranslationLost         a sentence of a live session could not be translated
│   ├── SpeechLost              nor spoken
│   ├── NotReady                models are still loading
│   ├── Draining                the server is stopping
│   ├── Overloaded              as many requests as the server takes at once
│   ├── TooManyJobs             as many jobs wait as may
│   ├── DiskFull                what callers keep at the server has no room there
│   ├── QueueFull               a model's queue is full
│   └── QueueDeadlinePassed     the deadline passed before the model began
├── DeadlinePassed              the deadline passed while a model ran
└── InternalError               a fault of the server: the caller sees a request id, nothing else

StartupError                    stops the start; never reaches a caller
├── ConfigError                 names the field of the configuration
├── WeightsError                missing or different weights
└── DeviceError                 a device that was asked for is not there
"""

from __future__ import annotations

from typing import Any, ClassVar


class DragomanError(Exception):
    """Base of all that a caller may be told. ``param`` is the field that caused it."""

    code: ClassVar[str] = "internal_error"  # what programs know it by, in every protocol and log
    is_counted = False  # whether the statistics of a model or of the graph have it

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param

    def __reduce__(self) -> tuple[Any, ...]:  # keyword arguments survive the way between processes
        return _rebuild, (type(self), self.message, self.param)


def _rebuild(cls: type[DragomanError], message: str, param: str | None) -> DragomanError:
    return cls(message, param=param)


class CallerError(DragomanError):
    """Base of what is up to the caller: the request, its key, or how much that key asks for."""

    code = "invalid_value"


class InvalidRequest(CallerError):
    """Malformed, or a value that is not taken; ``param`` names the field."""


class EmptyCommit(InvalidRequest):
    code = "input_audio_buffer_commit_empty"


class LoadFailed(InvalidRequest):
    code = "load_failed"


class UnknownLanguage(InvalidRequest):
    code = "unknown_language"


class Unauthorized(CallerError):
    code = "invalid_api_key"


class NoKey(Unauthorized):
    code = "no_api_key"


class Forbidden(CallerError):
    code = "forbidden"


class InsufficientScope(Forbidden):
    code = "insufficient_scope"


class KeyRequired(Forbidden):
    code = "key_required"


class HostNotAllowed(Forbidden):
    code = "host_not_allowed"


class OriginNotAllowed(Forbidden):
    code = "origin_not_allowed"


class ModelControlOff(Forbidden):
    code = "model_control_off"


class LoadNotAllowed(Forbidden):
    code = "load_not_allowed"


class NotFound(CallerError):
    code = "not_found"


class UnknownModel(NotFound):
    code = "model_not_found"


class UnknownVoice(NotFound):
    code = "voice_not_found"


class UnknownSession(NotFound):
    code = "session_not_found"


class MethodNotAllowed(CallerError):
    code = "method_not_allowed"
    allowed = ""  # the methods that the path takes, with commas between


class UpgradeRequired(CallerError):
    code = "upgrade_required"


class BodyTooSlow(CallerError):
    code = "body_too_slow"


class TooLarge(CallerError):
    code = "too_large"


class NotAudio(CallerError):
    code = "not_audio"


class StorageFull(TooLarge):
    code = "storage_full"


class NameTaken(CallerError):
    code = "session_name_taken"


class JobNotDone(CallerError):
    code = "job_not_done"


class SessionEnded(CallerError):
    code = "session_ended"


class SessionExpired(SessionEnded):
    code = "session_expired"


class SessionIdle(SessionEnded):
    code = "session_idle"


class ReaderTooSlow(SessionEnded):
    code = "reader_too_slow"


class UnsupportedEncoding(CallerError):
    code = "unsupported_encoding"


class Unprocessable(CallerError):
    code = "unprocessable"


class UnsupportedPair(Unprocessable):
    code = "unsupported_language_pair"


class NothingKept(Unprocessable):
    code = "nothing_kept"


class RateLimited(CallerError):
    code = "rate_limit_exceeded"
    retry_after_s: int | None = None  # when the key may ask again; None: nobody can say


class TooManyRunning(RateLimited):
    code = "too_many_running"


class QuotaUsed(RateLimited):
    code = "insufficient_quota"


class Unavailable(DragomanError):
    code = "unavailable"


class TranslationLost(Unavailable):
    code = "translation_lost"


class SpeechLost(Unavailable):
    code = "speech_lost"


class NotReady(Unavailable):
    code = "not_ready"


class Draining(Unavailable):
    code = "draining"


class Overloaded(Unavailable):
    code = "overloaded"


class TooManyJobs(Unavailable):
    code = "too_many_jobs"


class DiskFull(Unavailable):
    code = "disk_full"


class QueueFull(Unavailable):
    code = "queue_full"


class QueueDeadlinePassed(Unavailable):
    code = "queue_deadline_passed"


class DeadlinePassed(DragomanError):
    code = "deadline_passed"


class InternalError(DragomanError):
    """A fault of the server. ``message`` goes to the log; the caller gets a request id."""


def is_fault(error: DragomanError) -> bool:
    """Return whether the server is at fault, so that a caller is told nothing of it."""
    return not isinstance(error, CallerError | Unavailable | DeadlinePassed)


def told(error: DragomanError) -> str:
    """Return the message for the caller."""
    return "internal error" if is_fault(error) else error.message


class StartupError(Exception):
    """Stops the start of the server, with a message for whoever started it."""


class ConfigError(StartupError):
    pass


class WeightsError(StartupError):
    pass


class DeviceError(StartupError):
    pass
