"""Offer ``dragoman fetch``, which downloads and checks weights ahead of the server.

Weights that are here already are checked alone. Conversions are left to the engines' first start.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli.options import DEFAULT_CONFIG, AsJson, Config, exit_codes, loaded

if TYPE_CHECKING:  # imported late: every run of `dragoman` imports this module
    from deployments.config.schema import ModelConfig
    from models.weights.source import CheckedFile

NO_WEIGHTS = "none"  # in the configuration: the engine has no weights
CODES = exit_codes(
    {
        0: "all weights are here",
        1: "some are not",
        2: "the command line or the configuration is wrong",
    }
)


@dataclasses.dataclass(frozen=True, slots=True)
class Fetched:
    """The weights of one model: its files, or the error."""

    model: str
    weights: str
    files: tuple[CheckedFile, ...] = ()
    error: str | None = None

    def __str__(self) -> str:
        size_mb = sum(file.size_bytes for file in self.files) / 1e6
        pinned = sum(file.pinned for file in self.files)
        count = len(self.files)
        return (
            f"{self.model}: {self.weights}: {count} {'file' if count == 1 else 'files'}, "
            f"{size_mb:,.1f} MB, {'all' if pinned == count else pinned or 'none'} pinned"
        )


def fetch(
    config: Config = DEFAULT_CONFIG,
    model: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this one; may be repeated.")
    ] = None,
    as_json: AsJson = False,
    pins: Annotated[
        bool, typer.Option("--pins", help="Print `sha256:` of the files that have no pin.")
    ] = False,
) -> None:
    """Download and check the weights of every model, so that a server starts without network."""
    if as_json and pins:
        raise typer.BadParameter("--json has the digests of all files: leave out --pins")
    results = []
    for name, settings in _chosen(config, model or ()).items():
        result = fetch_model(name, settings)
        if result.error is not None:
            typer.echo(f"dragoman: {name}: {result.error}", err=True)
        elif not as_json:
            typer.echo(str(result), err=pins)
        results.append(result)
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(result) for result in results], indent=2))
    if pins:
        typer.echo(missing_pins(results), nl=False)
    if any(result.error is not None for result in results):
        raise typer.Exit(1)


def fetch_model(name: str, config: ModelConfig) -> Fetched:
    """Download the files that are missing of one model's weights; check each against its pin."""
    from models.errors import WeightsError
    from models.registry import find_engine
    from models.weights.source import resolve

    try:
        patterns = find_engine(config.engine).engine.files
        source = resolve(config.weights, config.sha256, patterns, ask_hub=True)
        files = source.check()
        if not files:
            raise WeightsError(f"{config.weights}: holds no file that {config.engine} reads")
    except WeightsError as error:
        return Fetched(name, config.weights, error=str(error))
    return Fetched(name, config.weights, tuple(files))


def missing_pins(results: Sequence[Fetched]) -> str:
    """Write YAML for the configuration: the digests of each model's files that have no pin."""
    import yaml

    blocks = {
        result.model: {"sha256": {file.name: file.sha256 for file in unpinned}}
        for result in results
        if (unpinned := [file for file in result.files if not file.pinned])
    }
    return yaml.safe_dump(blocks, sort_keys=False, width=1000) if blocks else ""


def _chosen(path: Path, names: Sequence[str]) -> Mapping[str, ModelConfig]:
    """Return the models that have weights, or those of them that are named."""
    models = loaded(path).applications[0].args.models
    unknown = sorted(set(names) - models.keys())
    if unknown:
        message = f"there is no model {unknown[0]!r}; there are {', '.join(models)}"
        raise typer.BadParameter(message, param_hint="--model")
    return {
        name: model
        for name, model in models.items()
        if model.weights != NO_WEIGHTS and (not names or name in names)
    }
