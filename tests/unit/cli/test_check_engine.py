"""``dragoman check-engine``: what it prints of an engine, and when it fails."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer.testing

from deployments.cli.check_engine import app
from tests.support import commands
from tests.support.fakes import FAKE_TTS, SLEEP, SleepSpeaker


class Forgetful(SleepSpeaker):
    """Lose the last result of a batch."""

    def run(self, batch):  # type: ignore[no-untyped-def]
        return super().run(batch)[:-1]


def run(*args: str | Path) -> typer.testing.Result:
    return commands.run(app, *args)


def test_an_engine_that_keeps_the_contract() -> None:
    result = run(FAKE_TTS)
    rows = result.stdout.splitlines()
    assert (result.exit_code, rows[-1]) == (0, f"{FAKE_TTS} keeps the contract")
    assert {row.split()[0] for row in rows[:-1]} == {"ok"}


def test_an_engine_that_breaks_it() -> None:
    result = run(f"{__name__}:Forgetful")
    assert (result.exit_code, "failed    results" in result.stdout) == (1, True)


def test_options_reach_the_engine() -> None:
    result = run(SLEEP, "--options", '{"embedding_size": 0}')
    assert (result.exit_code, "spec.embedding_size" in result.stdout) == (1, True)


WRONG = {
    "no JSON": ([SLEEP, "--options", "{"], "not JSON"),
    "no object": ([SLEEP, "--options", "[]"], "must be a JSON object"),
    "an unknown option": ([SLEEP, "--options", '{"size": 1}'], "options.size: unknown option"),
    "a class that is not there": (["nowhere:Mine"], "importing nowhere failed"),
    "no audio": ([SLEEP, "--audio", __file__], "--audio"),
}


@pytest.mark.parametrize(("args", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_command_line(args: list[str], says: str) -> None:
    result = run(*args)
    assert (result.exit_code, says in commands.said(result)) == (2, True), commands.said(result)
