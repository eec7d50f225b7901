"""Show a folder of files through the command line: killed in the middle, and gone on with.

    python -m bench.folder --url http://127.0.0.1:8000 --files 60

Each file must be written once. The first run is killed as soon as half of the files are there; what
it wrote must be what stands there at the end, untouched.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from tests.support.speech import clips

CLIENT = Path(__file__).parents[1] / "client"  # of this repository
ENV = {**os.environ, "PYTHONPATH": str(CLIENT)}
DRAGOMAN = (sys.executable, "-c", "from dragoman_client.cli import app; app()")
LOOK_S = 0.01
LONGEST_S = 1800.0


def fill(folder: Path, count: int) -> None:
    """Put so many recordings into a folder, each under a name of its own."""
    folder.mkdir()
    known = clips()
    for number in range(count):
        clip = known[number % len(known)]
        target = folder / f"{number:03}-{clip.name}"
        target.write_bytes(clip.path.read_bytes())


def killed(url: str, folder: Path, outputs: Path, kill_at: int) -> dict[str, int]:
    """Transcribe a folder, and kill that as soon as so many outputs are there; return those.

    Raises:
        AssertionError: it ended before it was killed.
    """
    process = subprocess.Popen(command(url, folder, outputs), env=ENV, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + LONGEST_S
    try:
        while len(written(outputs)) < kill_at:
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline, "it took too long"
            time.sleep(LOOK_S)
    finally:
        process.kill()
        process.wait()
    return written(outputs)


def resumed(url: str, folder: Path, outputs: Path) -> str:
    """Transcribe a folder to its end, and return what is said of it. Raises AssertionError."""
    run = subprocess.run(
        command(url, folder, outputs), env=ENV, check=False, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return run.stderr


def command(url: str, folder: Path, outputs: Path) -> list[str]:
    return [*DRAGOMAN, "--url", url, "transcribe", str(folder), "--output-dir", str(outputs)]


def written_twice(before: dict[str, int], after: dict[str, int]) -> list[str]:
    """Name the files that were there and were written again."""
    return [name for name, at_ns in before.items() if after.get(name) != at_ns]


def written(outputs: Path) -> dict[str, int]:
    """Return the files of a folder that are whole, with the times of their last change."""
    paths = outputs.glob("[!.]*") if outputs.is_dir() else ()
    return {path.name: path.stat().st_mtime_ns for path in paths}


def main(
    url: Annotated[str, typer.Option(help="A server.")] = "http://127.0.0.1:8000",
    files: Annotated[int, typer.Option(min=2, help="How many.")] = 60,
) -> None:
    """Kill a run over a folder in the middle, and go on with it."""
    with TemporaryDirectory() as name:
        folder, outputs = Path(name) / "sounds", Path(name) / "texts"
        fill(folder, files)
        first = killed(url, folder, outputs, files // 2)
        says = resumed(url, folder, outputs)
        last, left = written(outputs), [path.name for path in outputs.glob(".*")]
    twice = written_twice(first, last)
    typer.echo(f"files                    {files}")
    typer.echo(f"written before the kill  {len(first)}")
    typer.echo(f"written at the end       {len(last)}")
    typer.echo(f"written twice            {len(twice)}")
    typer.echo(f"left half written        {len(left)}")
    typer.echo(f"the second run begins    {says.splitlines()[0]}")
    if len(last) != files or twice or left:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
