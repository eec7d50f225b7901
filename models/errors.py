"""The error tree: each class owns its HTTP status, its code and its public message.

DragomanError
├── InvalidRequest 400          malformed; ``param`` names the field
│   ├── LoadFailed 400          a model cannot be loaded so; what served before still does
│   └── UnknownLanguage 400
├── Unauthorized 401            a key that is not known
│   └── NoKey 401
├── Forbidden 403               whoever asks again
│   ├── InsufficientScope 403   the key is for other things
│   ├── KeyRequired 403         without keys, this is for the server's own machine
│   ├── HostNotAllowed 403      the request calls the server by a name that it does not have
│   ├── OriginNotAllowed 403    a page of another site asks
│   ├── ModelControlOff 403
│   └── LoadNotAllowed 403      a model may not be loaded with that
├── NotFound 404                unknown path
│   ├── UnknownModel 404
│   └── UnknownVoice 404
├── MethodNotAllowed 405
├── BodyTooSlow 408          the body did not come in its time, or not at the least rate
├── TooLarge 413                body, audio or text over a limit
├── NotAudio 415                no audio that can be decoded
├── UnsupportedEncoding 415     a body compressed as nothing here decompresses
├── Unprocessable 422           understood, but impossible here
│   └── UnsupportedPair 422     no model translates this pair; the message lists those there are
├── RateLimited 429             more than its key may ask a minute; again after ``retry_after_s``
│   ├── TooManyRunning 429      more than it may have running
│   └── QuotaUsed 429           more than it may use a day
├── Unavailable 503             try again after ``retry_after_s``
│   ├── NotReady 503            models are still loading
│   ├── Draining 503            the server is stopping
│   ├── Overloaded 503          as many requests as the server takes at once
│   ├── QueueFull 503           a model's queue is full
│   └── QueueDeadlinePassed 503 the deadline passed before the model began
├── DeadlinePassed 504          the deadline passed while a model ran
└── InternalError 500           ours: the caller sees a request id and nothing else

StartupError                    stops the start; never reaches a caller
├── ConfigError                 names the field of the configuration
├── WeightsError                missing or different weights
└── DeviceError                 a device that was asked for is not there
"""

from __future__ import annotations

from typing import Any, ClassVar

CHALLENGE = 'Bearer realm="dragoman"'  # what a 401 asks for


class DragomanError(Exception):
    """Base of all that a caller may be told. ``param`` is the field that caused it."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    retry_after_s: int | None = None
    challenge: str | None = None  # as the header ``WWW-Authenticate`` has it
    is_counted = False  # whether the statistics of a model or of the graph have it

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param

    def __reduce__(self) -> tuple[Any, ...]:  # keyword arguments survive the way between processes
        return _rebuild, (type(self), self.message, self.param)


def _rebuild(cls: type[DragomanError], message: str, param: str | None) -> DragomanError:
    return cls(message, param=param)


class InvalidRequest(DragomanError):
    status, code = 400, "invalid_value"


class LoadFailed(InvalidRequest):
    code = "load_failed"


class UnknownLanguage(InvalidRequest):
    code = "unknown_language"


class Unauthorized(DragomanError):
    status, code = 401, "invalid_api_key"
    challenge = f'{CHALLENGE}, error="invalid_token"'


class NoKey(Unauthorized):
    code, challenge = "no_api_key", CHALLENGE


class Forbidden(DragomanError):
    status, code = 403, "forbidden"


class InsufficientScope(Forbidden):
    code = "insufficient_scope"
    challenge = f'{CHALLENGE}, error="insufficient_scope"'


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


class NotFound(DragomanError):
    status, code = 404, "not_found"


class UnknownModel(NotFound):
    code = "model_not_found"


class UnknownVoice(NotFound):
    code = "voice_not_found"


class MethodNotAllowed(DragomanError):
    status, code = 405, "method_not_allowed"
    allowed = ""  # as the header ``Allow`` has it


class BodyTooSlow(DragomanError):
    status, code = 408, "body_too_slow"


class TooLarge(DragomanError):
    status, code = 413, "too_large"


class NotAudio(DragomanError):
    status, code = 415, "not_audio"


class UnsupportedEncoding(DragomanError):
    status, code = 415, "unsupported_encoding"


class Unprocessable(DragomanError):
    status, code = 422, "unprocessable"


class UnsupportedPair(Unprocessable):
    code = "unsupported_language_pair"


class RateLimited(DragomanError):
    """``retry_after_s`` is each one's own."""

    status, code, retry_after_s = 429, "rate_limit_exceeded", 1


class TooManyRunning(RateLimited):
    code = "too_many_running"


class QuotaUsed(RateLimited):
    code = "insufficient_quota"


class Unavailable(DragomanError):
    status, code, retry_after_s = 503, "unavailable", 1


class NotReady(Unavailable):
    code, retry_after_s = "not_ready", 5


class Draining(Unavailable):
    code, retry_after_s = "draining", 5


class Overloaded(Unavailable):
    code = "overloaded"


class QueueFull(Unavailable):
    code = "queue_full"


class QueueDeadlinePassed(Unavailable):
    code = "queue_deadline_passed"


class DeadlinePassed(DragomanError):
    status, code = 504, "deadline_passed"


class InternalError(DragomanError):
    """Ours. What ``message`` says goes to the log; the caller gets a request id."""


class StartupError(Exception):
    """Stops the start of the server, with a message for whoever started it."""


class ConfigError(StartupError):
    pass


class WeightsError(StartupError):
    pass


class DeviceError(StartupError):
    pass
