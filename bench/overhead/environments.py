"""The peers' own Python environments: made once, with pinned packages, in Dragoman's cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from models.weights.cached_files import cache_folder

INSTALL_S = 900.0
OURS = ("PYTHONPATH", "VIRTUAL_ENV")
# Run by a candidate: is the shared library that the loader finds of this very interpreter?
ASK_LIBRARY = """
import ctypes, sys
library = ctypes.CDLL("libpython%d.%d.so.1.0" % sys.version_info[:2])
library.Py_GetVersion.restype = ctypes.c_char_p
sys.exit(library.Py_GetVersion().decode() != sys.version)
"""
ASK_VERSION_AND_FOLDER = """
import sys, sysconfig
print("%d.%d" % sys.version_info[:2], sysconfig.get_config_var("LIBDIR"))
"""
# PyTriton 0.7 has stubs for these that link the system's library.
STUB_VERSIONS = ("3.12", "3.11", "3.10", "3.9")


class NotToBeHad(Exception):
    """A peer cannot be installed here; the message says what is missing."""


def own() -> Path:
    """Return Dragoman's own Python."""
    return Path(sys.executable)


def foreign() -> dict[str, str]:
    """Return this process's environment without what leads to Dragoman's own packages."""
    return {name: value for name, value in os.environ.items() if name not in OURS}


def made(name: str, packages: Sequence[str], base: Path | None = None) -> Path:
    """Return the Python of an environment with these packages, which is made where need be.

    Raises:
        NotToBeHad: no environment, or pip did not install the packages.
    """
    base = base or own()
    folder = cache_folder() / "bench" / name
    python, made_of = folder / "bin" / "python", folder / "made-of"
    content = "\n".join([str(base), *packages])
    if made_of.exists() and made_of.read_text() == content:
        return python
    print(f"installing {', '.join(packages)}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    _run([str(base), "-m", "venv", str(folder)])
    _run([str(python), "-m", "pip", "install", "--quiet", *packages])
    made_of.write_text(content)
    return python


def with_shared_library() -> tuple[Path, str]:
    """Find a Python that Triton's Python backend can run, and the folder of its shared library.

    The backend's stub loads ``libpython3.N.so.1.0`` and gives it the interpreter's standard
    library, so both must be of one patch release: looked for are Dragoman's own Python, Debian's
    and those on the path.

    Raises:
        NotToBeHad: there is none.
    """
    found = [own(), Path("/usr/bin/python3")]
    found += [Path(path) for v in STUB_VERSIONS if (path := shutil.which(f"python{v}"))]
    for python in filter(Path.exists, found):
        version, _, folder = (_answer(python, ASK_VERSION_AND_FOLDER) or "").partition(" ")
        environment = {**foreign(), "LD_LIBRARY_PATH": folder}
        if version in STUB_VERSIONS and _answer(python, ASK_LIBRARY, environment) is not None:
            return python, folder
    raise NotToBeHad(
        f"needs a Python of {', '.join(STUB_VERSIONS)} with the shared library of the same patch "
        f"release (Debian: apt-get install python3-venv libpython3-dev); none of these has one: "
        f"{', '.join(map(str, found))}"
    )


def _answer(python: Path, program: str, environment: dict[str, str] | None = None) -> str | None:
    """Return what a Python prints; None if it fails."""
    command = [str(python), "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    return done.stdout.strip() if done.returncode == 0 else None


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            command, env=foreign(), capture_output=True, text=True, timeout=INSTALL_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotToBeHad(str(error)) from error
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:]
        raise NotToBeHad(f"{' '.join(command[1:4])} failed: {' '.join(errors)}")
