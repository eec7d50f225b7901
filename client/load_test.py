"""The load test: what a Dragoman server answers, and how fast, under a load.

    python client/load_test.py --callers 1,2,4,8 --duration 20
    python client/load_test.py --rate 2,4,6 --slo-ms 1500 --json load.json --picture load.png

An open loop (``--rate``) sends by a schedule, whatever the server does, and latency counts from
the scheduled moment; a closed loop (``--callers``) has so many callers, each of whom waits for
an answer before the next request. No request is tried again. Exit codes: 0 every request was
answered or refused as too much; 1 one failed otherwise, or none was answered; 2 the command
line is wrong; 130 interrupted, with a report of what was measured until then.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from dragoman_client import AsyncClient, DragomanError, Retry, console
from dragoman_client.client import DEFAULT_URL
from dragoman_client.exchange import checked_url
from dragoman_client.options import Key, with_key, writable
from load import progress, report
from load.arrivals import Process
from load.endpoints import DEFAULT_TEXT, SAMPLE, Endpoint, Work, read_clips
from load.figures import StepFigures
from load.steps import Length, Load, RealClock, Stepper
from load.sweep import Plan, Sweep

DEFAULT_CALLERS = "1,2,4,8"
DEFAULT_DURATION_S = 20.0
UNTOLD = ("text", "key")  # of the settings that a report has
INTERRUPTED = 130  # 128 + SIGINT, as shells have it

# As many connections as requests at once: a pool's bound would hold an open loop back.
UNBOUNDED = httpx.Limits(max_connections=None, max_keepalive_connections=None)

app = typer.Typer(pretty_exceptions_show_locals=False)


@app.command()
def load_test(
    context: typer.Context,
    url: Annotated[str, typer.Option(envvar="DRAGOMAN_URL", help="The server.")] = DEFAULT_URL,
    key: Key = None,
    endpoint: Annotated[Endpoint, typer.Option(help="What is asked for.")] = "translate",
    rate: Annotated[
        str | None, typer.Option(metavar="R[,R...]", help="Open loop: requests/s of each step.")
    ] = None,
    callers: Annotated[
        str | None,
        typer.Option(metavar="N[,N...]", help=f"Closed loop. [default: {DEFAULT_CALLERS}]"),
    ] = None,
    arrivals: Annotated[Process, typer.Option(help="Of an open loop.")] = "poisson",
    duration: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0.1, help=f"Of a step. [default: {DEFAULT_DURATION_S:g}]"
        ),
    ] = None,
    requests: Annotated[
        int | None, typer.Option(metavar="COUNT", min=1, help="Of a step, instead of seconds.")
    ] = None,
    warm_up: Annotated[
        int, typer.Option(metavar="COUNT", min=0, help="Requests before, not counted.")
    ] = 3,
    audio: Annotated[
        Path, typer.Option(exists=True, help="A file or a folder, whose files take turns.")
    ] = SAMPLE,
    text: Annotated[
        list[str] | None, typer.Option(help="For text and speech; several take turns.")
    ] = None,
    source: Annotated[str, typer.Option("--from", metavar="LANGUAGE", help="Of texts.")] = "en",
    to: Annotated[str, typer.Option("--to", metavar="LANGUAGE", help="To be spoken in.")] = "pt",
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="Of each request.")
    ] = 60.0,
    slo_ms: Annotated[
        float | None, typer.Option(metavar="MS", min=0, help="Latency that is good enough.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of Poisson arrivals.")] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Everything.", callback=writable)
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Latency against load.", callback=writable),
    ] = None,
) -> None:
    """Load a Dragoman server, and report latencies, throughput and errors of each step."""
    settings = {name: value for name, value in context.params.items() if name not in UNTOLD}
    plan = Plan(_loads(rate, callers), _length(duration, requests), warm_up, slo_ms)
    if picture is not None and importlib.util.find_spec("matplotlib") is None:
        raise typer.BadParameter("needs matplotlib: pip install './client[load]'")
    try:
        checked_url(url)
        headers = with_key(key, {})
        work = Work(endpoint, read_clips(audio), tuple(text or [DEFAULT_TEXT]), source, to)
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error)) from None
    started = datetime.now().astimezone()
    transport = context.obj or httpx.AsyncHTTPTransport(limits=UNBOUNDED)
    client = AsyncClient(
        url, timeout=timeout, retry=Retry(attempts=1), headers=headers, transport=transport
    )
    sweep, interrupted = _run(plan, client, work, arrivals, seed)
    if sweep.steps:
        report.show(sweep.steps)
    if json_file is not None:
        document = report.document(sweep, work, settings, started)
        console.write(json_file, json.dumps(document, default=str, ensure_ascii=False), "json")
    if picture is not None and sweep.steps:
        _draw(sweep.steps, f"{endpoint} at {url}", picture)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    if any(step.failed or not step.answered for step in sweep.steps):
        raise typer.Exit(1)


def _run(
    plan: Plan, client: AsyncClient, work: Work, arrivals: Process, seed: int
) -> tuple[Sweep, bool]:
    """Return the sweep, as far as it came, and whether it was interrupted."""
    with progress.shown() as shown:
        stepper = Stepper(work.asker(client), RealClock(), arrivals, seed, shown.answered)
        sweep = Sweep(plan, client, stepper, shown)

        async def measure() -> None:
            async with client:
                await sweep.run()

        try:
            asyncio.run(measure())
        except KeyboardInterrupt:
            return sweep, True
        except DragomanError as error:
            console.fail(f"the warm-up failed: {error}")
    return sweep, False


def _draw(steps: Sequence[StepFigures], title: str, path: Path) -> None:
    from load import picture

    try:
        picture.draw(steps, title, path)
    except OSError as error:
        console.fail(f"{path}: {error.strerror}")
    console.notice(f"wrote {path} (png)")


def _loads(rate: str | None, callers: str | None) -> tuple[Load, ...]:
    if rate is not None and callers is not None:
        raise typer.BadParameter("name either --rate or --callers")
    if rate is not None:
        return tuple(Load("open", value) for value in _numbers(rate, float, "--rate"))
    values = _numbers(callers or DEFAULT_CALLERS, int, "--callers")
    return tuple(Load("closed", value) for value in values)


def _numbers(text: str, number: type[int] | type[float], option: str) -> list[float]:
    try:
        values: list[Any] = [number(part) for part in text.split(",")]
    except ValueError:
        values = []
    if not values or not all(0 < value < float("inf") for value in values):
        raise typer.BadParameter(f"needs numbers above 0, like 1,2,4: {text}", param_hint=option)
    return values


def _length(duration_s: float | None, requests: int | None) -> Length:
    if duration_s is not None and requests is not None:
        raise typer.BadParameter("name either --duration or --requests")
    if requests is not None:
        return Length(requests=requests)
    return Length(duration_s=duration_s or DEFAULT_DURATION_S)


if __name__ == "__main__":
    app()
