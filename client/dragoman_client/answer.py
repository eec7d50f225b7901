"""Define the base of all that the client returns."""

from __future__ import annotations

from msgspec import Struct


class Answer(Struct, frozen=True):
    """Base of all answers and their parts. ``repr`` leaves out audio and vectors."""

    def __repr__(self) -> str:
        values = ((name, getattr(self, name)) for name in self.__struct_fields__)
        shown = [f"{name}={value!r}" for name, value in values if not _is_bulky(value)]
        return f"{type(self).__name__}({', '.join(shown)})"


def _is_bulky(value: object) -> bool:
    is_vector = isinstance(value, tuple) and bool(value) and isinstance(value[0], float)
    return isinstance(value, bytes) or is_vector
