"""Every operation is asked a few times by the description of the API; the fuzzer asks more."""

from __future__ import annotations

import pytest

from tests.fuzz.api.__main__ import ask

FEW = 3  # requests of each operation
# Its own process imports every library, which takes longer than all else here.
WITHOUT = ("--exclude-path", "/v1/doctor")


async def test_every_operation_answers_as_described(capfd: pytest.CaptureFixture[str]) -> None:
    requests, status = await ask(FEW, 1, ["--phases", "fuzzing", "--no-shrink", *WITHOUT])
    assert (status, requests > 100) == (0, True), capfd.readouterr().out
