"""One run of the tuner: plans, searches, chooses, writes and reports."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import typer

from deployments.telemetry.log import set_up
from dragoman_client import DragomanError, console
from models.errors import ConfigError
from tuning import report, writing
from tuning.choice import Choice, choose
from tuning.options import Options
from tuning.plan import Plan, plan
from tuning.rig import ServerRig
from tuning.search import Budget, Search
from tuning.server import ServerError, TunedServer
from tuning.trial import Trial

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def run(options: Options) -> None:
    """Raises typer.Exit with the command's exit code, or BadParameter."""
    try:
        planned = plan(options)
    except ConfigError as error:
        console.notice(f"dragoman: {error}")  # of several lines, perhaps
        raise typer.Exit(1) from None
    set_up()  # the server's models report as they get warm
    started = datetime.now().astimezone()
    budget = Budget(options.budget_s)
    search, broken_off = _searched(planned, budget, options.turns)
    if not search.history:
        raise typer.Exit(broken_off)
    choice = choose(search, planned.start)
    wanted: Sequence[writing.Change] = ()
    if choice.outcome != "missed" and not broken_off:
        wanted = writing.changes(planned.config, planned.start, choice.chosen)
    _show(search, choice, planned, is_whole=not broken_off)
    if options.json_file is not None:
        settings = dataclasses.asdict(options)
        document = report.document(search, choice, planned.start, wanted, settings, started)
        text = json.dumps(document, default=str, ensure_ascii=False, indent=1)
        console.write(options.json_file, text, "json")
    if options.picture is not None:
        _draw(search, choice, planned, options)
    if broken_off:
        raise typer.Exit(broken_off)
    if choice.outcome == "missed":
        raise typer.Exit(1)
    _write(options, planned, wanted)


def _searched(planned: Plan, budget: Budget, turns: int) -> tuple[Search, int]:
    """Return the search, as far as it came, and the exit code if it was broken off, or 0."""
    tuned = [name for name, _ in planned.start.models]
    server = TunedServer(planned.config, planned.running)
    rig = ServerRig(server, tuned, planned.how)

    def heard(trial: Trial) -> None:
        console.notice(report.line(trial, planned.start, budget.total_s, budget.spent_s))

    search = Search(rig, planned.space, budget, turns, heard)
    try:
        with _interrupts(), server:
            asyncio.run(rig.probe())
            search.run(planned.start)
    except KeyboardInterrupt:
        console.notice("interrupted: no configuration is written")
        return search, INTERRUPTED
    except DragomanError as error:
        console.fail(f"the first request failed: {error}")
    except ServerError as error:
        console.notice(f"dragoman: {error}")
        return search, 1
    return search, 0


@contextmanager
def _interrupts() -> Iterator[None]:
    """SIGTERM interrupts as SIGINT does."""

    def interrupt(*_: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    before = {
        signal.SIGTERM: signal.signal(signal.SIGTERM, interrupt),
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _show(search: Search, choice: Choice, planned: Plan, *, is_whole: bool) -> None:
    trials, start = list(search.trials.values()), planned.start
    report.show_trials(trials, start)
    if search.rounds:
        typer.echo()
        report.show_finalists(choice.finalists, start)
    if not is_whole:
        return
    typer.echo()
    if said := report.skipped(search):
        console.notice(said)
    how = planned.how
    typer.echo(report.verdict(choice, start, trials, how.load, how.slo_ms))


def _draw(search: Search, choice: Choice, planned: Plan, options: Options) -> None:
    from tuning import picture

    trials = [
        *search.history,
        *(trial for turn in search.rounds for trial in turn.values()),
    ]
    title, path = f"{planned.title}, {planned.how.load}", options.picture
    assert path is not None
    try:
        picture.draw(trials, choice, planned.start, options.slo_p99_ms, title, path)
    except OSError as error:
        console.fail(f"{path}: {error.strerror}")
    console.notice(f"wrote {path} (png)")


def _write(options: Options, planned: Plan, wanted: Sequence[writing.Change]) -> None:
    try:
        writing.write(options.config, planned.config, list(wanted), options.output)
    except (ConfigError, OSError) as error:
        console.fail(str(error))
    keys = ", ".join(".".join(path[-2:]) for path, _ in wanted)
    console.notice(f"wrote {options.output} ({keys or 'unchanged'})")
