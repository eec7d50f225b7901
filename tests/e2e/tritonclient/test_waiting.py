"""NVIDIA's Triton client: who waits, who is refused for it, and who goes first."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tritonclient.utils import InferenceServerException

from tests.e2e.tritonclient.served import SLOW_QUEUE
from tests.support.server import Running, eventually
from tests.support.triton import Ask, asking, translation_inputs

# The asynchronous client leaves answers without a body unread.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning")


def figure(server: Running, name: str, model: str) -> float:
    """One metric of one model, as the server tells it now."""
    text = httpx.get(f"{server.url}/metrics").text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and sample.labels.get("model") == model
    )


class Queue:
    """Callers of the slow model, each on a thread; one after the other, as far as is told."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self.answered: list[str] = []  # in the order of the answers
        self._ask = asking(server.url, "sync")
        self._threads = ThreadPoolExecutor(16)

    def send(self, text: str, **parameters: Any) -> Future[None]:
        return self._threads.submit(self._one, text, parameters)

    def _one(self, text: str, parameters: dict[str, Any]) -> None:
        self._ask("infer", "slow", translation_inputs(text), **parameters)
        self.answered.append(text)

    def wait_for(self, name: str, value: int) -> None:
        eventually(lambda: figure(self.server, name, "slow") == value, f"{name} {value}")

    def close(self) -> None:
        self._threads.shutdown()


@pytest.fixture
def busy(fake_server: Running) -> Iterator[Queue]:
    """The slow model runs one text; whatever comes has to wait."""
    queue = Queue(fake_server)
    queue.send("runs")
    queue.wait_for("dragoman_batches_in_flight", 1)
    yield queue
    queue.close()


PENDING = "nv_inference_pending_request_count"


def test_a_request_that_may_not_wait_so_long_is_refused(busy: Queue, ask_one: Ask) -> None:
    with pytest.raises(InferenceServerException, match="Request timeout expired") as refused:
        ask_one("infer", "slow", translation_inputs("Too late."), timeout=20_000)
    assert refused.value.status() == "503"


def test_a_full_queue_refuses(busy: Queue, ask_one: Ask) -> None:
    for waiting in range(1, SLOW_QUEUE + 1):
        busy.send("waits" * waiting)
    busy.wait_for(PENDING, SLOW_QUEUE)
    with pytest.raises(InferenceServerException, match="Exceeds maximum queue size") as refused:
        ask_one("infer", "slow", translation_inputs("One too many."))
    assert refused.value.status() == "503"


def test_the_urgent_go_first(busy: Queue) -> None:
    """Whatever came first; 0 is the model's own default, 2 here."""
    waiting = {"the least urgent": 3, "by default": 0, "urgent": 1}
    for text, priority in waiting.items():
        busy.send(text, priority=priority)
    busy.wait_for(PENDING, len(waiting))
    busy.close()
    assert busy.answered == ["runs", *reversed(waiting)]
