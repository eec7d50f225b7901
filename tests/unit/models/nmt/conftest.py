"""A service of the test, and engines that ask it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from models.nmt.openai_chat.engine import OpenAiChat
from models.nmt.openai_chat.options import Options
from tests.support.chat_engine import ANSWER, KEY, VARIABLE, Make, settings
from tests.support.chat_service import ChatService, chat_service, said


@pytest.fixture
def service() -> Iterator[ChatService]:
    with chat_service(lambda call: said(ANSWER)) as running:
        yield running


@pytest.fixture
def make(service: ChatService, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Load engines that ask the service, with a key, and close them."""
    monkeypatch.setenv(VARIABLE, KEY)
    made: list[OpenAiChat] = []

    def load(**options: Any) -> OpenAiChat:
        usual: dict[str, Any] = {
            "url": service.url,
            "model": "some-model",
            "key_variable": VARIABLE,
            "retries": 0,
        }
        engine = OpenAiChat(settings(), Options(**usual | options))
        made.append(engine)
        engine.load()
        return engine

    yield load
    for engine in made:
        engine.close()
