"""Write the synchronous client from the asynchronous one: ``make generate``.

Each ``async_NAME.py`` of the package gives a ``NAME.py``. unasync changes the code; the docstrings
and comments are changed here, and ruff sorts and formats the result. ``--check`` writes nothing and
fails if a file is stale.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import unasync  # type: ignore[import-untyped]

PACKAGE = Path(__file__).parent / "dragoman_client"
CONFIGURATION = Path(__file__).parents[1] / "pyproject.toml"
PREFIX = "async_"

# Names that unasync does not know. "AsyncX" would become "SyncX" by its own rule.
NAMES = {
    "AsyncBaseTransport": "BaseTransport",
    "AsyncBoundedBody": "BoundedBody",
    "AsyncClient": "Client",
    "AsyncConnection": "Connection",
    "AsyncFeeder": "Feeder",
    "AsyncGlossaries": "Glossaries",
    "AsyncHTTPTransport": "HTTPTransport",
    "AsyncJobs": "Jobs",
    "AsyncLive": "Live",
    "AsyncLiveSession": "LiveSession",
    "AsyncRetryTransport": "RetryTransport",
    "AsyncSleep": "Sleep",
    "AsyncSocket": "Socket",
    "AsyncSpeech": "Speech",
    "AsyncStreams": "Streams",
    "AsyncVoices": "Voices",
    "LiveAudio": "BlockingAudio",
    "aclose": "close",
    "aclosing": "closing",
    "aiter": "iter",
    "aiter_bytes": "iter_bytes",
    "anext": "next",
    "aread": "read",
    "async_connection": "connection",
    "async_glossaries": "glossaries",
    "async_jobs": "jobs",
    "async_live": "live",
    "async_speech": "speech",
    "async_streams": "streams",
    "async_transport": "transport",
    "async_voices": "voices",
    "asyncio": "time",  # of which the clients use ``sleep`` alone
    "handle_async_request": "handle_request",
    "read_upload_async": "read_upload",
    "within_async": "within",
}
# Words of docstrings and comments, after the names above.
WORDS = {r"\bawait ": "", r"\basync (?=with|for)": "", r"\btasks\b": "threads"}


def sources() -> list[Path]:
    return sorted(PACKAGE.glob(f"{PREFIX}*.py"))


def target_of(source: Path) -> Path:
    return PACKAGE / source.name.removeprefix(PREFIX)


def generated() -> dict[Path, str]:
    """Return the text of each generated file, without writing it."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "async").mkdir()
        copies = {source: work / "async" / source.name for source in sources()}
        for source, copy in copies.items():
            copy.write_text(source.read_text("utf-8"), "utf-8")
        rule = unasync.Rule("/async/", "/sync/", additional_replacements=NAMES)
        unasync.unasync_files([str(copy) for copy in copies.values()], [rule])
        made = {source: work / "sync" / source.name for source in sources()}
        for source, path in made.items():
            path.write_text(_with_words(source, path.read_text("utf-8")), "utf-8")
        _ruff("check", "--fix", "--quiet", "--unsafe-fixes", str(work / "sync"))
        _ruff("format", "--quiet", str(work / "sync"))
        return {target_of(source): path.read_text("utf-8") for source, path in made.items()}


def _with_words(source: Path, text: str) -> str:
    """Change the docstrings and comments, and say where the file comes from."""
    names = re.compile(rf"\b({'|'.join(NAMES)})\b")
    text = names.sub(lambda found: NAMES[found[1]], text)
    for pattern, word in WORDS.items():
        text = re.sub(pattern, word, text)
    return f"# Generated from {source.name} by `make generate`: change that file.\n{text}"


def _ruff(*args: str) -> None:
    command = [sys.executable, "-m", "ruff", *args, "--config", str(CONFIGURATION)]
    subprocess.run(command, check=True)


def main() -> None:
    stale = {path: text for path, text in generated().items() if _text_of(path) != text}
    for path, text in stale.items():
        if "--check" in sys.argv:
            print(f"{path.name} is stale: run `make generate`", file=sys.stderr)  # noqa: T201
        else:
            path.write_text(text, "utf-8")
    if stale and "--check" in sys.argv:
        sys.exit(1)


def _text_of(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None


if __name__ == "__main__":
    main()
