"""The load test's table on a terminal, and its picture."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from load import picture, progress, report
from load.endpoints import Answer
from load.figures import StepFigures, summarise
from load.steps import Failure, Length, Load, Outcome, Recording

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
FULL = Failure("503 queue_full", is_overload=True)
ONE, TWO = Load("closed", 1), Load("closed", 2)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def recorded(load: Load, *failures: Failure) -> Recording:
    """A step of one answer after 40 ms, and of these failures."""
    outcomes = [Outcome(0.0, 0.0, 0.04, Answer(audio_s=2.0), None)]
    outcomes += [Outcome(0.0, 0.0, 0.001, None, failure) for failure in failures]
    return Recording(load, outcomes, sent=len(outcomes), elapsed_s=2.0, is_whole=True)


def figures(load: Load, *failures: Failure, slo_ms: float | None = None) -> StepFigures:
    return summarise(recorded(load, *failures), slo_ms=slo_ms, mean_batch={"asr": 1.5})


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal for what a test writes; not a fixture, as pytest's capture would undo it."""
    made = Terminal()
    monkeypatch.setattr("sys.stdout", made)
    monkeypatch.setattr("sys.stderr", made)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "80")
    return made


def test_on_a_terminal_a_step_is_a_column(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    report.show([figures(ONE), figures(TWO, FULL)])
    lines = [" ".join(line.split()) for line in terminal.getvalue().splitlines()]
    assert lines[:3] == ["load 1 caller 2 callers", "requests 1 2", "answered 1 1"]
    assert lines[-2:] == ["batch of asr 1.5 1.5", "503 queue_full 0 1"]


def test_a_late_load_generator_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    report.show([replace(figures(ONE), max_send_delay_ms=120.0)])
    assert "the load generator itself was late by up to 120 ms" in capsys.readouterr().err


def test_a_terminal_sees_each_step_end(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    with progress.shown() as shown:
        shown.begin(ONE, Length(requests=1))
        shown.answered(recorded(ONE))
        shown.end(figures(ONE))
    assert "1 caller: 1 of 1 answered in 2.0 s, p50 40 ms, p99 40 ms" in terminal.getvalue()


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([figures(ONE, slo_ms=50), figures(TWO, slo_ms=50)], id="steps"),
        pytest.param([replace(figures(Load("open", 2.5)), latency_ms=None)], id="no answers"),
    ],
)
def test_the_picture_is_a_png(tmp_path: Path, steps: list[StepFigures]) -> None:
    picture.draw(steps, "a title", tmp_path / "load.png")
    assert (tmp_path / "load.png").read_bytes().startswith(PNG_SIGNATURE)
