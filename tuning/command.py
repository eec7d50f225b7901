"""The command ``dragoman tune``: its options and their help.

The work is imported late, as every run of ``dragoman`` imports this module.

Exit codes: 0 the settings were chosen and written; 1 nothing met the objective, or the server or a
file said no; 2 the command line is wrong; 130 interrupted, with a report of what was measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dragoman_client.options import writable
from tuning.options import Options

app = typer.Typer(pretty_exceptions_show_locals=False)


@app.command()
def tune(
    context: typer.Context,
    slo_p99_ms: Annotated[
        float, typer.Option(metavar="MS", min=0.001, help="The objective: latency of 99 in 100.")
    ],
    config: Annotated[
        Path,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="The configuration of the server."
        ),
    ] = Path("serve_config.yaml"),
    model: Annotated[str | None, typer.Option(metavar="NAME", help="What is tuned.")] = None,
    graph: Annotated[bool, typer.Option("--graph", help="Or all models of the graph.")] = False,
    batch_sizes: Annotated[
        str | None, typer.Option(metavar="N[,N...]", help="Of max_batch_size; 1 to 32 if left out.")
    ] = None,
    delays_ms: Annotated[
        str | None,
        typer.Option(metavar="MS[,MS...]", help="Of max_queue_delay_ms; 0 to 20 if left out."),
    ] = None,
    replicas: Annotated[
        str | None,
        typer.Option(metavar="N[,N...]", help="Up to 4 if left out, as cores and GPUs have it."),
    ] = None,
    threads: Annotated[
        str | None,
        typer.Option(metavar="N[,N...]", help="Of a replica; as cores have it if left out."),
    ] = None,
    callers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Closed loop; 8 if left out.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(metavar="R", min=0.001, help="Open loop: requests/s.")
    ] = None,
    duration: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="Of a measurement.")
    ] = 10.0,
    warm_up: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="Before each, not counted.")
    ] = 1.0,
    turns: Annotated[
        int, typer.Option(metavar="N", min=1, help="That the best are measured again in.")
    ] = 3,
    budget_s: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, help="From the start to the last answer.")
    ] = 900.0,
    audio: Annotated[
        Path | None, typer.Option(exists=True, help="A file or a folder, whose files take turns.")
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="For translation and speech; several take turns.")
    ] = None,
    source: Annotated[str, typer.Option("--from", metavar="LANGUAGE", help="Of texts.")] = "en",
    to: Annotated[str, typer.Option("--to", metavar="LANGUAGE", help="Of translations.")] = "pt",
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0.1,
            help="Of a request; 4 times the objective, or 10 s at least.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the arrivals of an open loop.")] = 0,
    output: Annotated[
        Path, typer.Option(metavar="FILE", help="The tuned serve file.", callback=writable)
    ] = Path("tuned.yaml"),
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Everything.", callback=writable)
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Latency against throughput.", callback=writable),
    ] = None,
) -> None:
    """Find the settings that serve most within an objective, on this machine.

    Starts a server of the configuration on a free port, loads it with one setting after another,
    and writes the configuration with the best ones.
    """
    from tuning.run import run

    run(Options(**context.params))


if __name__ == "__main__":
    app()
