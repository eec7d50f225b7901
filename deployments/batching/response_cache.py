"""Keep answers by the content of their items: the same question is not run twice."""

from __future__ import annotations

import hashlib
import pickle
from collections import OrderedDict
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray


class ResponseCache:
    """Keep all models' answers of one process, in ``max_bytes``; the least recent go first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._answers: OrderedDict[bytes, tuple[Any, int]] = OrderedDict()

    @staticmethod
    def key(model: str, generation: int, item: Any) -> bytes:
        """Return the key of an item (a dataclass): all its fields, and the model's generation."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(f"{model}\0{generation}\0{type(item).__name__}".encode())
        for each in fields(item):
            value = getattr(item, each.name)
            if isinstance(value, np.ndarray):
                _add(digest, each.name, value)
            elif isinstance(value, dict):  # named tensors
                for name in sorted(value):
                    _add(digest, f"{each.name}\0{len(name)}\0{name}", value[name])
            else:
                digest.update(f"\0{each.name}\0{value!r}".encode())
        return digest.digest()

    def get(self, key: bytes) -> Any | None:
        """Return the answer that was kept, or None."""
        found = self._answers.get(key)
        if found is None:
            return None
        self._answers.move_to_end(key)
        return found[0]

    def put(self, key: bytes, answer: Any) -> None:
        """Keep an answer, unless it alone is larger than the cache."""
        data = pickle.dumps(answer)
        size = len(data)
        if size > self._max_bytes or key in self._answers:
            return
        self._answers[key] = (pickle.loads(data), size)  # not a view of its whole batch
        self._bytes += size
        while self._bytes > self._max_bytes:
            _, (_, dropped) = self._answers.popitem(last=False)
            self._bytes -= dropped


def _add(digest: hashlib.blake2b, name: str, array: NDArray[Any]) -> None:
    """Add an array with all that tells it from others; of strings each with its length."""
    digest.update(f"\0{name}\0{array.dtype.str}{array.shape}\0".encode())
    if array.dtype != object:
        digest.update(np.ascontiguousarray(array).data)
        return
    for value in array.flat:
        digest.update(b"%d:" % len(value))
        digest.update(value)
