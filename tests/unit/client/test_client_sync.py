"""The synchronous client is generated from the asynchronous one, and reads like one of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CLIENT = Path(__file__).parents[3] / "client"
SOURCES = sorted((CLIENT / "dragoman_client").glob("async_*.py"))
ASYNC_WORDS = re.compile(r"\b(await|async|Async\w*|asyncio|tasks|coroutine)\b")


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(folder / "make_sync.py"), "--check"]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy what the generator reads."""
    shutil.copy(CLIENT.parent / "pyproject.toml", tmp_path)
    (tmp_path / "client" / "dragoman_client").mkdir(parents=True)
    shutil.copy(CLIENT / "make_sync.py", tmp_path / "client")
    for path in (CLIENT / "dragoman_client").glob("*.py"):
        shutil.copy(path, tmp_path / "client" / "dragoman_client")
    return tmp_path / "client"


@pytest.mark.process
def test_the_generated_files_are_up_to_date() -> None:
    checked = check(CLIENT)
    assert (checked.stderr, checked.returncode) == ("", 0)


@pytest.mark.process
def test_a_changed_source_makes_its_file_stale(copy: Path) -> None:
    source = copy / "dragoman_client" / "async_speech.py"
    source.write_text(source.read_text("utf-8").replace("Write down speech", "Transcribe speech"))
    checked = check(copy)
    assert checked.returncode == 1
    assert checked.stderr == "speech.py is stale: run `make generate`\n"


@pytest.mark.parametrize("source", SOURCES, ids=[path.stem for path in SOURCES])
def test_a_generated_file_has_no_word_of_asyncio(source: Path) -> None:
    _, text = source.with_name(source.name.removeprefix("async_")).read_text("utf-8").split("\n", 1)
    assert ASYNC_WORDS.findall(text) == []
