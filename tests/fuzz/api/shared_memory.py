"""The shared memory that schemathesis registers, and why a registration is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.support.shared_memory import Memory

KEY, SIZE = "/dragoman-fuzz", 1 << 16


@contextmanager
def memory() -> Iterator[None]:
    """Make the shared memory for as long as the application is asked."""
    made = Memory(KEY)
    made.path.touch(mode=0o600)
    made.cut(SIZE)
    try:
        yield
    finally:
        made.path.unlink()


def narrow(components: dict[str, Any]) -> None:
    """Have the description register that memory alone."""
    components["schemas"]["RegionFields"]["properties"].update(
        key={"const": KEY},
        offset={"type": "integer", "minimum": 0, "maximum": SIZE // 2},
        byte_size={"type": "integer", "minimum": 1, "maximum": SIZE // 2},
    )


def _fits(case: Any, response: Any) -> bool:
    body = case.body if isinstance(case.body, dict) else {}
    numbers = [body.get("offset", 0), body.get("byte_size", 0)]
    is_whole = all(type(number) is int and number >= 0 for number in numbers)
    is_register = case.path.endswith("/register") and response.status_code == 200
    return is_register and is_whole and sum(numbers) <= SIZE


def _is_registered(case: Any, response: Any) -> bool:
    return response.status_code == 400 and "already in manager" in response.text


def _is_one_too_many(case: Any, response: Any) -> bool:
    return response.status_code == 413 and "for one caller" in response.text


def _is_of_a_gpu(case: Any, response: Any) -> bool:
    return case.path.startswith("/v2/cudasharedmemory") and response.status_code == 400


EXCLUSIONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "all of the memory may be registered, not only what is narrowed": _fits,
    "a name is registered once": _is_registered,
    "regions are bounded": _is_one_too_many,
    "memory of GPUs is not taken": _is_of_a_gpu,
}
