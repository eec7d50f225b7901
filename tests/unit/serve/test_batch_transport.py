"""Batches cross between processes whole: rows, order, dtypes and the odd row."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from deployments.serve.batch_transport import TRIED_AGAIN, Carrier, Lent, Outgoing, Packed, Ran
from deployments.serve.shared_memory import Address, Blocks, Opened
from models.errors import NotAudio
from models.runtime import ItemError
from models.types import (
    AsrItem,
    NmtItem,
    SpeakerItem,
    TensorsItem,
    TensorsResult,
    VadItem,
    Voiceprint,
)
from tests.support.clock import settle

INT16 = np.arange(5, dtype=np.int16)
FLOAT32 = np.linspace(-1, 1, 3, dtype=np.float32)

STRINGS = np.array([b"a", b"", "\u00e9".encode()], object)
SCALAR = np.asarray(np.float64(2.5))
EMPTY = np.zeros((0, 3), np.float16)
TENSORS = {"x": FLOAT32, "flag": np.array([[True]]), "s": STRINGS, "one": SCALAR, "no": EMPTY}

BATCHES: dict[str, list[Any]] = {
    "clips of different lengths": [SpeakerItem(INT16), SpeakerItem(INT16[:2]), SpeakerItem(INT16)],
    "one clip": [SpeakerItem(INT16)],
    "an empty clip": [SpeakerItem(INT16[:0]), SpeakerItem(INT16)],
    "other fields": [AsrItem(INT16, language="pt"), AsrItem(INT16, prompt="x", temperature=0.2)],
    "a state array": [VadItem(INT16, state=FLOAT32), VadItem(INT16)],
    "mixed dtypes": [SpeakerItem(INT16), SpeakerItem(FLOAT32)],
    "texts": [NmtItem("a", "en", "pt"), NmtItem("b", "pt", "en")],
    "results": [Voiceprint(FLOAT32), Voiceprint(FLOAT32 * 2)],
    "an error among results": [Voiceprint(FLOAT32), ItemError(NotAudio("no", param="file"))],
    "named tensors": [TensorsItem(TENSORS), TensorsItem({"x": FLOAT32 * 2, "s": STRINGS})],
    "strings alone": [TensorsItem({"s": STRINGS})],
    "named results": [TensorsResult(TENSORS), TensorsResult(TENSORS)],
    "an error among named results": [TensorsResult(TENSORS), ItemError(NotAudio("no"))],
    "nothing": [],
}


def flat(value: Any) -> Any:
    """A comparable form: dataclasses by fields, arrays by dtype and values."""
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.tolist()
    if isinstance(value, dict):
        return {name: (each.shape, flat(each)) for name, each in value.items()}
    if isinstance(value, Exception):
        return type(value), *value.args
    if hasattr(value, "__dataclass_fields__"):
        return type(value), [flat(getattr(value, name)) for name in value.__dataclass_fields__]
    return value


@pytest.mark.parametrize("rows", BATCHES.values(), ids=BATCHES.keys())
def test_a_batch_comes_back_as_it_went(rows: list[Any]) -> None:
    ran = Ran(1.0, 0.5, 0.25)
    back = pickle.loads(pickle.dumps(Packed(rows, ran), protocol=5))
    assert (list(map(flat, back)), back.ran) == (list(map(flat, rows)), ran)


def test_the_samples_of_a_batch_cross_as_one_array() -> None:
    buffers: list[pickle.PickleBuffer] = []
    rows = [SpeakerItem(INT16)] * 8
    pickle.dumps(Packed(rows), protocol=5, buffer_callback=buffers.append)
    assert [len(buffer.raw()) for buffer in buffers] == [8 * INT16.nbytes]


class Replica:
    """The other end of a carrier: what it was sent, and what it read of it."""

    def __init__(self, *, on_this_machine: bool = True) -> None:
        self.on_this_machine = on_this_machine
        self.calls: list[type] = []
        self.read: list[Any] = []

    async def infer(self, sent: Outgoing) -> Packed[Any] | None:
        batch: Lent | Packed[Any] = pickle.loads(pickle.dumps(sent))
        self.calls.append(type(batch))
        rows: Sequence[Any] | None = batch if isinstance(batch, Packed) else self._opened(batch)
        if rows is None:
            return None
        self.read = list(map(flat, rows))
        return Packed(["an answer"])

    def _opened(self, batch: Lent) -> list[Any] | None:
        return batch.rows(Opened()) if self.on_this_machine else None


@pytest.mark.parametrize("rows", BATCHES.values(), ids=BATCHES.keys())
async def test_a_carried_batch_arrives_as_it_went(rows: list[Any]) -> None:
    replica = Replica()
    answer = await Carrier(replica.infer, Blocks()).send(rows)
    assert (list(answer), replica.read) == (["an answer"], list(map(flat, rows)))


@pytest.mark.parametrize(
    ("name", "crosses"),
    [
        ("clips of different lengths", Lent),
        ("texts", Packed),
        ("mixed dtypes", Packed),
        ("named tensors", Lent),
    ],
)
async def test_samples_lie_in_shared_memory(name: str, crosses: type) -> None:
    replica = Replica()
    await Carrier(replica.infer, Blocks()).send(BATCHES[name])
    assert replica.calls == [crosses]


async def test_batches_for_another_machine_go_with_the_calls() -> None:
    replica = Replica(on_this_machine=False)
    carrier = Carrier(replica.infer, Blocks())
    rows = [SpeakerItem(INT16)]
    await carrier.send(rows)
    assert replica.read == list(map(flat, rows))
    await carrier.send(rows)
    assert replica.calls == [Lent, Packed, Packed]


async def test_shared_memory_is_tried_again_after_many_batches() -> None:
    replica = Replica(on_this_machine=False)
    carrier = Carrier(replica.infer, Blocks())
    for _ in range(1 + TRIED_AGAIN):
        await carrier.send([SpeakerItem(INT16)])
    replica.on_this_machine = True
    await carrier.send([SpeakerItem(INT16)])
    assert replica.calls[-2:] == [Packed, Lent]


async def test_without_blocks_batches_go_with_the_calls() -> None:
    replica = Replica()
    await Carrier(replica.infer, None).send([SpeakerItem(INT16)])
    assert replica.calls == [Packed]


async def test_where_no_memory_is_to_be_had_batches_go_with_the_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Blocks, "_take", lambda *_: None)
    replica = Replica()
    await Carrier(replica.infer, Blocks()).send([SpeakerItem(INT16)])
    assert replica.calls == [Packed]


async def test_samples_that_are_no_list_of_numbers_are_for_the_model_to_refuse() -> None:
    replica = Replica()
    await Carrier(replica.infer, Blocks()).send([SpeakerItem(INT16[np.newaxis])])
    assert replica.calls == [Packed]


class Held:
    """A replica that answers when it is told to, and remembers where batches lay."""

    def __init__(self) -> None:
        self.addresses: list[Address] = []
        self.may_answer = asyncio.Event()

    async def infer(self, batch: Outgoing) -> Packed[Any]:
        lent = pickle.loads(pickle.dumps(batch))
        assert isinstance(lent, Lent)
        self.addresses.append(lent.address)
        await self.may_answer.wait()
        return Packed(["an answer"])


async def test_a_block_is_its_batchs_alone_until_the_answer() -> None:
    replica = Held()
    carrier = Carrier(replica.infer, Blocks())
    sent = [asyncio.create_task(carrier.send([SpeakerItem(INT16)])) for _ in range(2)]
    await settle()
    replica.may_answer.set()
    await asyncio.gather(*sent)
    await carrier.send([SpeakerItem(INT16)])
    first, second, third = replica.addresses
    assert first != second
    assert third in (first, second)


async def test_the_block_of_a_batch_that_was_given_up_is_not_used_again() -> None:
    replica = Held()
    carrier = Carrier(replica.infer, Blocks())
    sent = asyncio.create_task(carrier.send([SpeakerItem(INT16)]))
    await settle()
    sent.cancel()
    await asyncio.gather(sent, return_exceptions=True)
    replica.may_answer.set()
    await carrier.send([SpeakerItem(INT16)])
    given_up, other = replica.addresses
    assert given_up.token != other.token


def sent(batch: Outgoing, at: set[Outgoing], *, is_near: bool) -> Any:
    """What a replica gets, on this node or another, when Serve tries it."""
    batch.goes_to(at, is_near=is_near)
    return pickle.loads(pickle.dumps(batch))


def test_a_batch_is_shared_with_a_replica_of_this_node_and_pickled_for_others() -> None:
    tries = (True, False, True)
    with Outgoing([SpeakerItem(INT16)], Blocks()) as batch:
        arrived = [type(sent(batch, set(), is_near=is_near)) for is_near in tries]
    assert arrived == [Lent, Packed, Lent]


def test_a_batch_that_goes_to_another_node_takes_no_block(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    def take(_: Blocks, size: int) -> None:
        taken.append(size)

    monkeypatch.setattr(Blocks, "_take", take)
    with Outgoing([SpeakerItem(INT16)], Blocks()) as batch:
        sent(batch, set(), is_near=False)
    assert not taken


def test_a_batch_is_among_those_of_the_replica_that_has_it() -> None:
    first, second = set[Outgoing](), set[Outgoing]()
    with Outgoing([SpeakerItem(INT16)], Blocks()) as batch:
        sent(batch, first, is_near=True)
        sent(batch, second, is_near=False)
        assert (len(first), len(second)) == (0, 1)
    assert not second


async def test_a_far_replica_that_answers_leaves_sharing_on() -> None:
    near, calls = False, list[type]()

    async def infer(batch: Outgoing) -> Packed[Any]:
        calls.append(type(sent(batch, set(), is_near=near)))
        return Packed(["an answer"])

    carrier = Carrier(infer, Blocks())
    await carrier.send([SpeakerItem(INT16)])
    near = True
    await carrier.send([SpeakerItem(INT16)])
    assert calls == [Packed, Lent]
