"""The operations under ``/v1/realtime``; the events of its WebSockets have a page of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel

from deployments.http.openapi.operations import JSON, TEXT, Answer, Operation, Route
from deployments.http.realtime.client_secrets import ClientSecretFields, ListenTokenFields

LIVE = "Live"
SOCKET = (
    "A WebSocket of JSON events, as OpenAI's clients speak it. A browser, which can send no "
    "header, offers the subprotocols `realtime` and `openai-insecure-api-key.KEY`."
)
OPENED = Answer("The WebSocket is open.", {}, ())


class ClientSecret(BaseModel):
    """A client secret, and the session that it opens."""

    value: str
    expires_at: int
    session: dict[str, Any]


class ListenToken(BaseModel):
    """A token that listens to one session; with ``page`` also a link, and its QR code as an SVG."""

    value: str
    expires_at: int
    name: str
    session: str
    link: str | None = None
    qr_svg: str | None = None


class ListenedLanguage(BaseModel):
    """A language that sessions are translated to; whether a voice speaks it, and in time here."""

    language: str
    spoken: bool
    in_time: bool


class ListenedLanguages(BaseModel):
    """The languages that a session may be followed in."""

    object: Literal["list"]
    data: list[ListenedLanguage]


class StageLag(BaseModel):
    """The lag of one stage's events over the last minute, in seconds, and its growth a second."""

    p50_s: float
    p95_s: float
    slope: float
    events: int


class LiveSession(BaseModel):
    """An open session. The lag is of each stage that had events in the last minute."""

    id: str
    object: Literal["realtime.session"]
    name: str | None
    key: str | None
    created_at: int
    heard_s: float
    language: str | None
    targets: list[str]
    speaks: bool
    listeners: int
    lag: dict[Literal["received", "recognised", "translated", "spoken"], StageLag]


class LiveSessions(BaseModel):
    """The open sessions, the oldest first."""

    object: Literal["list"]
    data: list[LiveSession]


class EndedSession(BaseModel):
    """A session that was ended."""

    id: str
    object: Literal["realtime.session"]
    deleted: Literal[True]


OPERATIONS: Mapping[Route, Operation] = {
    ("GET", "/v1/realtime/sessions"): Operation(
        "list_sessions",
        LIVE,
        "List the open live sessions",
        {200: Answer("The sessions.", {JSON: LiveSessions}, ())},
    ),
    ("DELETE", "/v1/realtime/sessions/{id}"): Operation(
        "end_session",
        LIVE,
        "Flush a live session and close it",
        {200: Answer("It is closed.", {JSON: EndedSession}, ())},
        parameters=("SessionId",),
        errors=(404,),
    ),
    ("GET", "/v1/realtime"): Operation(
        "transcribe_live",
        LIVE,
        "Transcribe speech while it is spoken (OpenAI's realtime protocol)",
        {101: OPENED},
        parameters=("Intent", "Delay", "SessionName", "OwnEvents"),
        errors=(404, 409, 422, 426),
        description=SOCKET,
    ),
    ("GET", "/v1/realtime/translations"): Operation(
        "translate_live",
        LIVE,
        "Translate speech while it is spoken (OpenAI's realtime protocol), or follow a session",
        {101: OPENED},
        parameters=("LiveModel", "Delay", "SessionName", "Follow", "Target", "OwnEvents"),
        errors=(404, 409, 422, 426),
        description=SOCKET,
    ),
    ("GET", "/v1/realtime/follow"): Operation(
        "follow_session",
        LIVE,
        "Follow a session as text",
        {200: Answer("Server-sent events, until the session ends.", {"text/event-stream": TEXT})},
        parameters=("FollowName", "Target", "OwnEvents"),
        errors=(404, 422),
    ),
    ("GET", "/v1/realtime/languages"): Operation(
        "list_live_languages",
        LIVE,
        "List the languages that a session may be followed in",
        {200: Answer("The languages.", {JSON: ListenedLanguages}, ())},
        errors=(404, 503),
    ),
    ("POST", "/v1/realtime/client_secrets"): Operation(
        "make_transcription_secret",
        LIVE,
        "Make a secret that opens transcription sessions (OpenAI's endpoint)",
        {200: Answer("The secret.", {JSON: ClientSecret}, ("cache-control",))},
        {JSON: ClientSecretFields},
    ),
    ("POST", "/v1/realtime/translations/client_secrets"): Operation(
        "make_translation_secret",
        LIVE,
        "Make a secret that opens translation sessions (OpenAI's endpoint)",
        {200: Answer("The secret.", {JSON: ClientSecret}, ("cache-control",))},
        {JSON: ClientSecretFields},
    ),
    ("POST", "/v1/realtime/listen_tokens"): Operation(
        "make_listen_token",
        LIVE,
        "Make a token that only listens to one open session",
        {200: Answer("The token.", {JSON: ListenToken}, ("cache-control",))},
        {JSON: ListenTokenFields},
        errors=(404,),
    ),
}
