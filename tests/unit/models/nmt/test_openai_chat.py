"""A translator behind a service on a real socket: what it asks, and how it is loaded."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import replace

import pytest

from models.contract.checks import check_engine
from models.errors import ConfigError
from models.nmt.openai_chat.engine import OpenAiChat
from models.nmt.openai_chat.options import Options
from models.registry import ENGINES
from models.runtime import RuntimeSpec
from models.types import Translation
from tests.support.chat_engine import ANSWER, ITEM, KEY, VARIABLE, Make, error_of, settings
from tests.support.chat_service import Call, ChatService, Reply, said
from tests.support.m2m100 import translations

# ---- what is asked -------------------------------------------------------------------------


def test_a_text_is_asked_for_with_its_languages(service: ChatService, make: Make) -> None:
    assert make().run([ITEM]) == [Translation(ANSWER, "en", "pt")]
    (call,) = service.calls
    assert (call.body["model"], call.body["temperature"]) == ("some-model", 0.0)
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert "from English (en) to Portuguese (pt)" in call.instructions
    assert call.asked == f"<text>\n{ITEM.text}\n</text>"


def test_what_models_do_not_take_is_not_sent(service: ChatService, make: Make) -> None:
    engine = make(temperature=None, max_tokens_field="max_completion_tokens", key_variable=None)
    engine.run([replace(ITEM, max_tokens=7)])
    (call,) = service.calls
    assert not {"temperature", "max_tokens", "response_format"} & call.body.keys()
    assert call.body["max_completion_tokens"] == 7
    assert "authorization" not in call.headers


def test_texts_of_a_batch_have_their_own_answers(service: ChatService, make: Make) -> None:
    service.answer = lambda call: said(call.text.upper())
    items = [replace(ITEM, text=f"The train number {i} is late.") for i in range(20)]
    texts = [each.text for each in translations(make().run(items))]
    assert texts == [item.text.upper() for item in items]


@pytest.mark.parametrize("text", ["", " \n", "42", "12:30!"], ids=repr)
def test_a_text_without_letters_is_not_sent(service: ChatService, make: Make, text: str) -> None:
    assert make().run([replace(ITEM, text=text)]) == [Translation(text.strip(), "en", "pt")]
    assert service.calls == []


BAD_ITEMS = {
    "UnsupportedPair": replace(ITEM, target_language="zz"),
    "TooLarge": replace(ITEM, text="train " * 1000),
    "InvalidRequest": replace(ITEM, text="half \ud800"),
}
BAD_SEARCHES = {
    "beam_size": replace(ITEM, beam_size=2),
    "length_penalty": replace(ITEM, length_penalty=0.5),
    "max_tokens": replace(ITEM, max_tokens=0),
    "before": replace(ITEM, before="The", before_translated="O"),
}


def test_bad_items_are_not_sent(service: ChatService, make: Make) -> None:
    results = make().run([*BAD_ITEMS.values(), *BAD_SEARCHES.values()])
    errors = [error_of(result) for result in results]
    assert [type(error).__name__ for error in errors[:3]] == [*BAD_ITEMS]
    assert [error.param for error in errors[3:]] == [*BAD_SEARCHES]
    assert service.calls == []


def test_no_more_calls_at_once_than_configured(service: ChatService, make: Make) -> None:
    together = threading.Barrier(3)  # so that three are surely there at once

    def answer(call: Call) -> Reply:
        together.wait(timeout=30)
        return said(ANSWER)

    service.answer = answer
    assert len(translations(make(concurrency=3).run([ITEM] * 9))) == 9
    assert service.most_at_once == 3


# ---- loading -------------------------------------------------------------------------------


def test_it_says_where_texts_go(
    service: ChatService, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dragoman")
    engine = OpenAiChat(settings(), Options(url=service.url, model="some-model", timeout_s=9))
    spec: RuntimeSpec = engine.load()[0]
    engine.close()
    host = service.url.removeprefix("http://").removesuffix("/v1")
    assert (spec.sends_to, spec.max_run_s, spec.takes_terms) == (host, 9, True)
    assert f"model 'writer' sends the texts of its callers to {host}" in caplog.text


@pytest.mark.parametrize("key", [None, "", "  ", f"{KEY}\nx: y", f"{KEY} x", f"{KEY}é"], ids=repr)
def test_a_key_that_cannot_be_sent_stops_the_load(
    monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if key is not None:
        monkeypatch.setenv(VARIABLE, key)
    engine = OpenAiChat(
        settings(), Options(url="https://example.org/v1", model="m", key_variable=VARIABLE)
    )
    with pytest.raises(ConfigError, match=VARIABLE) as raised:
        engine.load()
    assert KEY not in str(raised.value)


def test_it_keeps_the_contract(service: ChatService) -> None:
    service.answer = lambda call: said(f"Uma frase de {len(call.text)} letras: {call.text[::-1]}")
    asked = settings(url=service.url, model="some-model")
    checks = check_engine(ENGINES["openai-chat"], asked)
    assert [check for check in checks if check.status == "failed"] == []


def test_json_is_asked_for_where_configured(service: ChatService, make: Make) -> None:
    service.answer = lambda call: said(json.dumps({"translation": ANSWER}))
    assert make(json_answer=True).run([ITEM]) == [Translation(ANSWER, "en", "pt")]
    (call,) = service.calls
    assert call.body["response_format"] == {"type": "json_object"}
    assert '"translation"' in call.instructions
