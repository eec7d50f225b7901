"""One command line for every bench: its options, its JSON file and its exit code.

A bench is a function from its options to ``Results``. The first line of its module's docstring is
what the command says of itself.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from bench.results import FOLDER, Results, show, write
from bench.serving import BenchFailed

Options: TypeAlias = Mapping[str, Mapping[str, Any]]  # name -> what argparse takes
Measure: TypeAlias = Callable[[argparse.Namespace], Results]


def flag(help_text: str) -> Mapping[str, Any]:
    return {"action": "store_true", "help": help_text}


def value(default: Any, help_text: str = "") -> Mapping[str, Any]:
    """Take one value of the default's type."""
    shown = f"{help_text} [{default}]".strip()
    return {"type": type(default), "default": default, "help": shown}


def some(names: Collection[str], help_text: str = "only these") -> Mapping[str, Any]:
    """Take some of these names; all of them where none is given."""
    return {"nargs": "+", "choices": [*names], "default": [*names], "help": help_text}


def parsed(
    doc: str | None, options: Options, arguments: Sequence[str] | None = None
) -> argparse.Namespace:
    """Read the command line. ``quick`` and ``folder`` are every bench's."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=doc, formatter_class=shape)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the figures")
    for name, how in options.items():
        parser.add_argument(f"--{name.replace('_', '-')}", **how)
    return parser.parse_args(arguments)


def run(
    doc: str | None, measure: Measure, options: Options, arguments: Sequence[str] | None = None
) -> None:
    """Measure, write and show; the exit code is 1 if something failed.

    Raises:
        SystemExit: the bench could not measure, with the reason; or something failed.
    """
    args = parsed(doc, options, arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # servers end on the way out
    try:
        results = measure(args)
    except BenchFailed as error:
        sys.exit(f"the bench failed: {error}")
    if args.folder is None:
        show(results.tables, [*results.findings, *results.notes])
    else:
        write(results, args.folder)
    if results.failed:
        sys.exit(1)
