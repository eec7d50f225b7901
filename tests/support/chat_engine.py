"""What tests of the engine that asks a service share: its item, its key, and its settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from models.devices.device import DeviceRequest
from models.errors import DragomanError
from models.nmt.openai_chat.engine import OpenAiChat
from models.runtime import ItemError, RuntimeSettings
from models.types import NmtItem, Translation

KEY, VARIABLE = "sk-secret-0123456789", "TEST_CHAT_KEY"
ITEM = NmtItem("The next train leaves at nine.", "en", "pt")
ANSWER = "O próximo comboio parte às nove."
Make: TypeAlias = Callable[..., OpenAiChat]  # loads an engine with some options


def settings(**options: Any) -> RuntimeSettings:
    return RuntimeSettings("writer", "none", DeviceRequest("cpu"), options)


def error_of(result: Translation | ItemError) -> DragomanError:
    assert isinstance(result, ItemError)
    return result.error
