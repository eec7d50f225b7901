"""Give Ray's workers a Python whose path a shell reads as one word.

Ray starts each worker with ``bash -c "exec PYTHON ..."`` and does not quote PYTHON. A space or
another special character in that path would keep every worker from starting, with no message.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from models.errors import ConfigError

LINK = "python"  # in the folder of the run


def worker_python(folder: Path, executable: str, prefix: str) -> str:
    """Return a path of this Python that needs no quotes; link its environment if there is none.

    A link to the folder of the environment keeps ``pyvenv.cfg`` beside ``bin``, so that the
    packages are found; a link to the executable alone would not.

    Args:
        folder: takes the link; its own path needs no quotes.
        executable: the path of this Python (``sys.executable``).
        prefix: the folder of its environment (``sys.prefix``).

    Raises:
        ConfigError: the executable is not inside the environment, or the link cannot be made.
    """
    if is_one_word(executable):
        return executable
    what = f"Ray cannot start {executable!r}: its path has characters that a shell would read"
    try:
        inside = Path(executable).relative_to(prefix)
        link = folder / LINK
        link.symlink_to(prefix, target_is_directory=True)
    except (ValueError, OSError) as error:
        raise ConfigError(f"{what}; move it to a path without them ({error})") from error
    return str(link / inside)


def is_one_word(path: str) -> bool:
    """Tell whether a shell reads a path as it stands."""
    return shlex.quote(path) == path


def check_worker_python(*, own_cluster: bool) -> None:
    """Refuse a Python that Ray's workers could not be started with.

    Raises:
        ConfigError: names its path.
    """
    if is_one_word(sys.executable):
        return
    if own_cluster and Path(sys.executable).is_relative_to(sys.prefix):
        return  # the start makes a link
    raise ConfigError(
        f"Ray cannot start {sys.executable!r}: its path has characters that a shell would read; "
        "move the environment to a path without them"
    )
