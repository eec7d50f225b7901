"""Fakes under licences: one that permits commerce, one that does not, one known once loaded."""

from __future__ import annotations

from dataclasses import replace

from models.runtime import Engine, RuntimeSpec
from tests.support.fakes import FakeVad, Options

NON_COMMERCIAL = "CC-BY-NC-4.0"
FREE, UNFREE, TOLD_LATE = (
    f"tests.support.licensed:{name}" for name in ("FreeVad", "UnfreeVad", "LateVad")
)


class FreeVad(FakeVad):
    engine = Engine("vad", Options, needs_weights=False, licence="MIT")

    def spec(self) -> RuntimeSpec:
        return replace(super().spec(), licence="MIT")


class UnfreeVad(FakeVad):
    engine = Engine("vad", Options, needs_weights=False, licence=NON_COMMERCIAL)

    def spec(self) -> RuntimeSpec:
        return replace(super().spec(), licence=NON_COMMERCIAL)


class LateVad(FakeVad):
    """Tell the licence of the weights only after they were loaded."""

    def spec(self) -> RuntimeSpec:
        return replace(super().spec(), licence=NON_COMMERCIAL)
