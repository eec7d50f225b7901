"""A service that fails in every way: each is the error of its text, and tells no key."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import Any

import pytest

from models.errors import DragomanError, Unavailable, Unprocessable
from models.nmt.openai_chat.service import MAX_ANSWER_BYTES
from models.types import Translation
from tests.support.chat_engine import ANSWER, ITEM, KEY, Make, error_of
from tests.support.chat_service import ChatService, Reply, chat_service, said
from tests.support.m2m100 import translations

MESSAGE: dict[str, Any] = {"choices": [{"message": {"role": "assistant", "content": ANSWER}}]}
FAULTS: dict[str, tuple[Reply, type[DragomanError], str]] = {
    "busy": (Reply(429), Unavailable, "no more calls for now"),
    "broken": (Reply(500), Unavailable, "fails (status 500)"),
    "overloaded": (Reply(529), Unavailable, "fails (status 529)"),
    "a wrong key": (
        Reply(401, f'{{"error": "no key {KEY}"}}'.encode()),
        Unavailable,
        "refuses the server's calls (status 401)",
    ),
    "no such model": (Reply(404), Unavailable, "status 404"),
    "a text it does not take": (Reply(400), Unprocessable, "does not take this text"),
    "a redirect": (Reply(302, headers={"location": "/v2"}), Unavailable, "points elsewhere"),
    "no content": (Reply(204), Unavailable, "status 204"),
    "no JSON": (Reply(body=b"<html>"), Unavailable, "expected form"),
    "deep JSON": (Reply(body=b"[" * 100_000), Unavailable, "expected form"),
    "other JSON": (Reply(body=b"[]"), Unavailable, "expected form"),
    "no choices": (Reply(body=b'{"choices": []}'), Unavailable, "expected form"),
    "no message": (Reply(body=b'{"choices": [{}]}'), Unavailable, "expected form"),
    "no text": (said(None), Unavailable, "expected form"),
    "half a surrogate pair": (said("a \ud800"), Unavailable, "expected form"),
    "parts": (said([{"text": "a"}]), Unavailable, "expected form"),
    "an empty text": (said(" \n"), Unavailable, "is empty"),
    "a refusal": (said(None, refusal="I cannot."), Unprocessable, "refuses to translate"),
    "a filter": (said("", "content_filter"), Unprocessable, "refuses to translate"),
    "a cut text": (said(ANSWER, "length"), Unprocessable, "too long"),
    "an essay": (said("bla " * 500), Unprocessable, "too long"),
    "more bytes than are read": (
        Reply(headers={"content-length": str(MAX_ANSWER_BYTES + 1)}),
        Unavailable,
        "more than",
    ),
    "bytes without an end": (Reply(body=b" " * 50_000, is_chunked=True), Unavailable, "more than"),
    "compressed bytes": (
        Reply(body=b"\x1f\x8b", headers={"content-encoding": "gzip"}),
        Unavailable,
        "compressed",
    ),
    "no answer": (Reply(raw=b""), Unavailable, "cannot be reached"),
    "half an answer": (
        Reply(body=b"{", headers={"content-length": "100"}),
        Unavailable,
        "in time",
    ),
    "no HTTP": (Reply(raw=b"SSH-2.0-server\r\n\r\n"), Unavailable, "does not speak HTTP"),
}


@pytest.mark.parametrize(("reply", "kind", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_the_error_of_its_text(
    service: ChatService,
    make: Make,
    caplog: pytest.LogCaptureFixture,
    reply: Reply,
    kind: type[DragomanError],
    message: str,
) -> None:
    """Its neighbour is translated; the key is in no error and in no line of the log."""
    caplog.set_level(logging.DEBUG)
    service.answer = lambda call: said(ANSWER) if call.text == ITEM.text else reply
    failed, kept = make(read_timeout_s=0.5).run([replace(ITEM, text="Another text."), ITEM])
    error = error_of(failed)
    assert (type(error), message in error.message) == (kind, True), error.message
    assert kept == Translation(ANSWER, "en", "pt")
    assert "1 of 2 texts were not translated" in caplog.text
    assert KEY not in f"{caplog.text} {error!r} {error.__cause__!r} {error.__context__!r}"


def test_nobody_listens(service: ChatService, make: Make) -> None:
    with chat_service(lambda call: said("")) as other:
        url = other.url
    assert "cannot be reached" in error_of(make(url=url).run([ITEM])[0]).message


def test_a_redirect_is_not_followed(service: ChatService, make: Make) -> None:
    with chat_service(lambda call: said(ANSWER)) as other:
        for status in (301, 302, 303, 307, 308):
            location = {"location": f"{other.url}/chat/completions"}
            service.answer = lambda call, s=status, to=location: Reply(s, headers=to)  # type: ignore[misc]
            assert f"status {status}" in error_of(make().run([ITEM])[0]).message
    assert other.calls == []


PASSING = {"busy": Reply(429), "broken": Reply(503), "no answer": Reply(raw=b"")}


@pytest.mark.parametrize("reply", PASSING.values(), ids=PASSING)
def test_what_passes_is_tried_again(service: ChatService, make: Make, reply: Reply) -> None:
    service.answer = lambda call: reply if len(service.calls) == 1 else said(ANSWER)
    assert make(retries=1).run([ITEM]) == [Translation(ANSWER, "en", "pt")]
    assert len(service.calls) == 2


def test_tries_are_counted(service: ChatService, make: Make) -> None:
    service.answer = lambda call: Reply(500)
    assert "status 500" in error_of(make(retries=1).run([ITEM])[0]).message
    assert len(service.calls) == 2


LASTING = {"a wrong key": Reply(401), "a text": Reply(400), "an essay": said("bla " * 500)}


@pytest.mark.parametrize("reply", LASTING.values(), ids=LASTING)
def test_what_lasts_is_not_tried_again(service: ChatService, make: Make, reply: Reply) -> None:
    service.answer = lambda call: reply
    make(retries=3).run([ITEM])
    assert len(service.calls) == 1


def test_the_service_says_when_to_ask_again(service: ChatService, make: Make) -> None:
    busy = Reply(429, headers={"retry-after": "1"})
    service.answer = lambda call: busy if len(service.calls) == 1 else said(ANSWER)
    translations(make(retries=1).run([ITEM]))
    first, second = service.calls
    assert second.at_s - first.at_s >= 1


@pytest.mark.parametrize("when", ["100", "Wed, 01 Jan 2200 00:00:00 GMT"], ids=["s", "date"])
def test_who_may_not_ask_in_time_asks_no_more(service: ChatService, make: Make, when: str) -> None:
    service.answer = lambda call: Reply(429, headers={"retry-after": when})
    assert "status 429" in error_of(make(retries=3).run([ITEM])[0]).message
    assert len(service.calls) == 1


STALLS = {"bytes do not come": {"read_timeout_s": 0.2}, "the batch is over": {"timeout_s": 0.2}}


@pytest.mark.parametrize("bounds", STALLS.values(), ids=STALLS)
def test_a_service_that_stalls_is_given_up(
    service: ChatService, make: Make, bounds: dict[str, float]
) -> None:
    gate = threading.Event()
    service.answer = lambda call: said(ANSWER) if gate.wait(timeout=60) else Reply(500)
    try:
        results = make(retries=3, **bounds).run([ITEM, ITEM])
    finally:
        gate.set()
    assert ["in time" in error_of(result).message for result in results] == [True, True]
    assert len(service.calls) == 2  # it may still be at work, so it is not asked again
