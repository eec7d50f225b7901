"""Batches cross between processes whole: rows, order, dtypes and the odd row."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from deployments.wire import Packed, Ran
from models.errors import NotAudio
from models.runtime import ItemError
from models.types import AsrItem, NmtItem, SpeakerItem, VadItem, Voiceprint

INT16 = np.arange(5, dtype=np.int16)
FLOAT32 = np.linspace(-1, 1, 3, dtype=np.float32)

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
    "nothing": [],
}


def flat(value: Any) -> Any:
    """A comparable form: dataclasses by fields, arrays by dtype and values."""
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.tolist()
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
