"""Puts an engine through the contract: ``dragoman check-engine package.module:Class``.

Exit codes: 0 it keeps the contract, 1 it does not, 2 the command line is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:  # imported late: every run of `dragoman` imports this module
    from deployments.config.schema import ModelConfig
    from models.contract.checks import Check
    from models.types import Samples

MAX_AUDIO_S = 30.0  # what recognition takes at once
MODEL = "model"  # what the model is called here

app = typer.Typer(pretty_exceptions_show_locals=False)


@app.command()
def check_engine(
    engine: Annotated[
        str, typer.Argument(metavar="ENGINE", help="package.module:Class, or an engine's name.")
    ],
    weights: Annotated[
        str, typer.Option(metavar="REF", help="package:NAME, path:FOLDER or hf:REPO@REVISION.")
    ] = "none",
    options: Annotated[
        str, typer.Option(metavar="JSON", help="Options of the engine, as a JSON object.")
    ] = "{}",
    device: Annotated[str, typer.Option(metavar="DEVICE", help="auto, cuda or cpu.")] = "auto",
    gpu_fraction: Annotated[float, typer.Option(help="Share of one GPU.")] = 0.0,
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
    audio: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Speech instead of made sounds; several are best.",
        ),
    ] = None,
) -> None:
    """Load an engine, run made batches through it, and tell whether it keeps the contract."""
    row = {
        **{"engine": engine, "weights": weights, "options": _object(options), "device": device},
        **{"gpu_fraction": gpu_fraction, "threads": threads},
    }
    failed = 0
    for check in _checks(_configured(row), _samples(audio or ())):
        typer.echo(f"{check.status:<9} {check.name:<17} {check.detail}")
        failed += check.status == "failed"
    typer.echo(f"{engine} {'breaks' if failed else 'keeps'} the contract")
    if failed:
        raise typer.Exit(1)


def _checks(config: ModelConfig, recordings: Sequence[Samples]) -> Iterator[Check]:
    from models.contract.checks import check_engine as checks
    from models.registry import find_engine

    return checks(find_engine(config.engine), config.settings(MODEL), recordings)


def _object(text: str) -> dict[str, Any]:
    try:
        options = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"not JSON: {error}", param_hint="--options") from None
    if not isinstance(options, dict):
        raise typer.BadParameter("must be a JSON object", param_hint="--options")
    return options


def _configured(row: dict[str, Any]) -> ModelConfig:
    """Check the command line as the configuration checks a model."""
    from pydantic import ValidationError

    from deployments.config.files import messages
    from deployments.config.schema import ModelConfig

    try:
        return ModelConfig.model_validate(row)
    except ValidationError as error:
        raise typer.BadParameter("\n".join(messages(error))) from None


def _samples(paths: Sequence[Path]) -> list[Samples]:
    from models.audio.decode import decode
    from models.errors import DragomanError

    samples = []
    for path in paths:
        try:
            samples.append(decode(path.read_bytes(), max_duration_s=MAX_AUDIO_S).samples)
        except DragomanError as error:
            raise typer.BadParameter(f"{path}: {error}", param_hint="--audio") from None
    return samples


if __name__ == "__main__":
    app()
