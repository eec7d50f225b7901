"""Find what the commands read and where they write: stdin, files, and folders of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from . import console
from .errors import DragomanError
from .options import STDIN
from .types import AudioFile

# The files of a folder that are sent, by their endings; any file may be named by itself.
SOUND_ENDINGS = frozenset(
    {
        *(".aac", ".aif", ".aiff", ".flac", ".m4a", ".mka", ".mkv", ".mov"),
        *(".mp3", ".mp4", ".oga", ".ogg", ".opus", ".wav", ".webm"),
    }
)
# The most that one request holds: well under the limits of a server.
MAX_TEXTS, MAX_TEXT_CHARS = 64, 8000


@dataclass(frozen=True, slots=True)
class Job:
    """One of many files, and the file that is made from it."""

    source: Path
    output: Path


def audio_of(path: Path) -> AudioFile:
    """Return the path of a file, or the bytes of stdin."""
    return typer.get_binary_stream("stdin").read() if path == STDIN else path


def name_of(path: Path) -> str:
    return "stdin" if path == STDIN else path.name


def are_many(files: Sequence[Path], output: Path | None) -> bool:
    """Tell whether each file gets an output of its own name.

    An output without an ending is a folder, which may be missing.
    """
    to_folder = output is not None and (output.is_dir() or is_folder_name(output))
    return len(files) > 1 or to_folder or any(path.is_dir() for path in files)


def is_folder_name(output: Path) -> bool:
    """Tell whether a name that nothing has yet is one of a folder."""
    return output != STDIN and not output.suffix and not output.exists()


def folder_of(output: Path | None, output_dir: Path | None) -> Path | None:
    """Return where the outputs go, which two options say. Raise typer.BadParameter: both do."""
    if output is not None and output_dir is not None:
        raise typer.BadParameter("name either --output or --output-dir")
    if output_dir is not None:
        _make_folder(output_dir, "--output-dir")
    return output if output_dir is None else output_dir


def jobs(files: Sequence[Path], output: Path | None, ending: str) -> list[Job]:
    """Return a job for each file and each sound file in each folder, in their order.

    Args:
        files: the arguments of the command line.
        output: the folder of the outputs, which is made if it is missing; with None each output
            stands beside its source.
        ending: the ending of the outputs' names.

    Raises:
        typer.BadParameter: there is no file, or two outputs would be one file.
    """
    if STDIN in files:
        raise typer.BadParameter("- stands alone: stdin has no file name")
    if output is not None:
        _make_folder(output)
    named = list(dict.fromkeys(path for path in files if not path.is_dir()))
    found = [path for folder in files if folder.is_dir() for path in _sounds(folder)]
    made = {_output(path, output, path.stem, ending) for path in (*named, *found)}
    # An output that an earlier run wrote beside its source is not a source.
    sources = list(dict.fromkeys([*named, *(path for path in found if path not in made)]))
    if not sources:
        raise typer.BadParameter(f"there is no sound file in {files[0]}")
    return _jobs(sources, output, ending)


def _jobs(sources: Sequence[Path], output: Path | None, ending: str) -> list[Job]:
    by_stem = [_output(path, output, path.stem, ending) for path in sources]
    count = Counter(by_stem)
    outputs = [  # a.wav and a.mp3 keep their endings
        short if count[short] == 1 else _output(path, output, path.name, ending)
        for path, short in zip(sources, by_stem, strict=True)
    ]
    for path, times in Counter(outputs).items():
        if times > 1:
            raise typer.BadParameter(f"{times} files would be written to {path}")
    return [Job(*pair) for pair in zip(sources, outputs, strict=True)]


def _output(source: Path, folder: Path | None, stem: str, ending: str) -> Path:
    return (source.parent if folder is None else folder) / f"{stem}{ending}"


def _sounds(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SOUND_ENDINGS and not path.name.startswith(".") and path.is_file()
    )


def _make_folder(path: Path, option: str = "--output") -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{path} is no folder that many files can be written to: {error.strerror}"
        raise typer.BadParameter(message, param_hint=option) from None


def language_ending(language: str) -> str:
    """Return a language in the form that a file's name has."""
    return re.sub(r"[^\w-]+", "-", language.strip().lower())


def do_all(
    jobs: Sequence[Job], doing: str, work: Callable[[Job], str | None], *, overwrite: bool = False
) -> None:
    """Do one job after the other and report each; one that fails does not stop the others.

    A job whose output is there is done: an earlier run was broken off behind it.

    Args:
        jobs: at least one.
        doing: a word for the bar, such as ``translating``.
        work: does a job, and describes what it wrote; None if there was nothing to write.
        overwrite: do all of them again.

    Raises:
        typer.Exit: with code 1 at the end, if some failed.
    """
    todo = [job for job in jobs if overwrite or not job.output.exists()]
    before = len(jobs) - len(todo)
    if before:
        console.notice(f"{before} of {len(jobs)} are done already (--overwrite does them again)")
    failed = 0
    with console.advancing(len(jobs), before) as tell:
        for number, job in enumerate(todo, start=before + 1):
            place = f"[{number}/{len(jobs)}]"
            tell(f"{doing} {job.source}", number - 1)
            try:
                what = work(job)
            except (DragomanError, OSError) as error:
                console.notice(f"{place} dragoman: {job.source}: {' '.join(str(error).split())}")
                failed += 1
            else:
                said = f"wrote {job.output} ({what})" if what else f"no speech in {job.source}"
                console.notice(f"{place} {said}")
    if failed:
        console.fail(f"{failed} of {len(jobs)} files failed")


# ---- texts --------------------------------------------------------------------------------


def texts_of(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the texts of a command line; - stands for the lines of stdin."""
    for argument in arguments:
        if argument == str(STDIN):
            for line in typer.get_text_stream("stdin", encoding="utf-8-sig", errors="replace"):
                yield line.rstrip("\r\n")
        else:
            yield argument


def text_of(argument: str) -> str:
    """Return the text of a command line; - stands for all of stdin."""
    return "\n".join(texts_of([argument]))


def portions(texts: Iterable[str]) -> Iterator[list[str]]:
    """Group texts into as few requests as may hold them."""
    portion: list[str] = []
    for text in texts:
        length = sum(map(len, portion)) + len(text)
        if portion and (len(portion) == MAX_TEXTS or length > MAX_TEXT_CHARS):
            yield portion
            portion = []
        portion.append(text)
    if portion:
        yield portion
