"""The response cache: what counts as the same question, and what it holds."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from deployments.batching.response_cache import ResponseCache
from models.types import AsrItem, NmtItem, SpeakerItem, TensorsItem, Term, TtsItem, VadItem

INT16 = np.arange(4, dtype=np.int16)
ITEM = AsrItem(INT16, "en")

OTHERS: dict[str, Any] = {
    "samples": AsrItem(INT16[::-1], "en"),
    "length": AsrItem(INT16[:3], "en"),
    "dtype": AsrItem(INT16.astype(np.float32), "en"),
    "language": AsrItem(INT16, "pt"),
    "a field that was not given": AsrItem(INT16),
    "kind": SpeakerItem(INT16),
}


def key(item: Any, model: str = "m", generation: int = 0) -> bytes:
    return ResponseCache.key(model, generation, item)


def test_the_same_content_is_the_same_question() -> None:
    assert key(ITEM) == key(AsrItem(INT16.copy(), "en"))


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_other_content_is_another_question(other: Any) -> None:
    assert key(other) != key(ITEM)


@pytest.mark.parametrize(
    "other", [key(ITEM, model="n"), key(ITEM, generation=1)], ids=["model", "generation"]
)
def test_another_model_has_answers_of_its_own(other: bytes) -> None:
    assert other != key(ITEM)


def strings(*values: bytes) -> np.ndarray[Any, np.dtype[Any]]:
    array = np.empty(len(values), object)
    array[:] = values
    return array


LONG = np.arange(2000, dtype=np.float32)  # longer than what repr shows
ROW = {"x": LONG, "names": strings(b"ab", b"c")}
OTHER_ROWS = {
    "a value in the middle": ROW | {"x": np.where(LONG == 1000, 0, LONG).astype(np.float32)},
    "a shape": ROW | {"x": LONG.reshape(2, -1)},
    "a dtype": ROW | {"x": LONG.view(np.int32)},
    "a name": {"y": LONG, "names": ROW["names"]},
    "strings cut elsewhere": ROW | {"names": strings(b"a", b"bc")},
    "an input less": {"x": LONG},
}


def test_a_row_of_named_tensors_is_known_by_its_values() -> None:
    again = {"names": strings(b"ab", b"c"), "x": LONG.copy()}
    assert key(TensorsItem(ROW)) == key(TensorsItem(again))


@pytest.mark.parametrize("other", OTHER_ROWS.values(), ids=OTHER_ROWS)
def test_another_row_of_named_tensors_is_another_question(other: dict[str, Any]) -> None:
    assert key(TensorsItem(other)) != key(TensorsItem(ROW))


DEED = Term("deed", "escritura")
OF_GLOSSARIES = [
    NmtItem("a deed", "en", "pt"),
    NmtItem("a deed", "en", "pt", terms=(DEED,)),
    NmtItem("a deed", "en", "pt", terms=(Term("deed", "ato"),)),
    NmtItem("a deed", "en", "pt", terms=(Term("deed", "escritura", True),)),
    TtsItem("a", "v"),
    TtsItem("a", "v", sounds=("niːv",)),
]


def test_another_glossary_is_another_question() -> None:
    assert len(set(map(key, OF_GLOSSARIES))) == len(OF_GLOSSARIES)


ITEMS = [NmtItem("a", "en", "pt"), TtsItem("a", "v", reference=INT16), VadItem(INT16), ITEM]


@pytest.mark.parametrize("item", ITEMS, ids=[type(item).__name__ for item in ITEMS])
def test_every_kind_of_item_has_a_key(item: Any) -> None:
    assert key(item) == key(pickle.loads(pickle.dumps(item)))


def test_the_least_recent_goes_first() -> None:
    answer = "x" * 100
    cache = ResponseCache(2 * len(pickle.dumps(answer)))
    for name in (b"a", b"b"):
        cache.put(name, answer)
    cache.get(b"a")
    cache.put(b"c", answer)
    assert [cache.get(name) is not None for name in (b"a", b"b", b"c")] == [True, False, True]


def test_an_answer_larger_than_all_is_not_kept() -> None:
    cache = ResponseCache(10)
    cache.put(b"a", "x" * 100)
    assert cache.get(b"a") is None


def test_an_answer_that_is_there_takes_no_more_room() -> None:
    answer = "x" * 100
    cache = ResponseCache(2 * len(pickle.dumps(answer)))
    for name in (b"a", b"b", b"b", b"b"):
        cache.put(name, answer)
    assert cache.get(b"a") is not None


def test_an_answer_is_no_view_of_its_neighbours() -> None:
    batch = np.zeros(1000, np.float32)
    cache = ResponseCache(1 << 20)
    cache.put(b"a", batch[:1])
    kept = cache.get(b"a")
    assert kept is not None
    assert kept.base is None
