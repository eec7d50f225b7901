"""A Python whose path a shell would split is reached by a path that it would not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deployments.serve.worker_python import worker_python
from models.errors import ConfigError

# What a shell would read in a folder's name.
FOLDERS = ["a space", "an 'apostrophe'", "a&b", "a(b)", "$HOME", "a;b"]


def environment_in(folder: Path) -> Path:
    """Make an environment of this Python in a folder of that name."""
    folder.mkdir(parents=True)
    made = folder / "venv"
    (made / "bin").mkdir(parents=True)
    (made / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    home = Path(sys.executable).resolve().parent
    (made / "pyvenv.cfg").write_text(f"home = {home}\n")
    return made


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.process
def test_a_shell_starts_it_in_its_own_environment(tmp_path: Path, name: str) -> None:
    prefix = environment_in(tmp_path / name)
    python = worker_python(tmp_path, str(prefix / "bin" / "python"), str(prefix))
    code = "import os, sys; sys.stdout.write(os.path.realpath(sys.prefix))"
    # As Ray starts a worker: in bash, without quotes around the path.
    started = subprocess.run(
        ["bash", "-c", f"exec {python} -c '{code}'"], capture_output=True, text=True, check=True
    )
    assert started.stdout == str(prefix.resolve())


def test_a_path_that_is_one_word_is_left_as_it_is(tmp_path: Path) -> None:
    assert worker_python(tmp_path, "/opt/venv/bin/python", "/opt/venv") == "/opt/venv/bin/python"
    assert list(tmp_path.iterdir()) == []


def test_a_python_outside_its_environment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Ray cannot start '/my tools/python'"):
        worker_python(tmp_path, "/my tools/python", "/opt/venv")


def test_a_folder_that_is_no_word_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="move the environment to a path without them"):
        worker_python(tmp_path / "a b", "/my tools/bin/python", "/my tools")
