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
        folder: takes the link.
        executable: the path of this Python (``sys.executable``).
        prefix: the folder of its environment (``sys.prefix``).

    Raises:
        ConfigError: the executable is not inside the environment, or the folder's path needs quotes
            as well, or the link cannot be made.
    """
    if is_one_word(executable):
        return executable
    link = folder / LINK
    if not Path(executable).is_relative_to(prefix) or not is_one_word(str(link)):
        raise _unusable(executable)
    try:
        link.symlink_to(prefix, target_is_directory=True)
    except OSError as error:
        raise _unusable(executable) from error
    return str(link / Path(executable).relative_to(prefix))


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
    raise _unusable(sys.executable)


def _unusable(executable: str) -> ConfigError:
    return ConfigError(
        f"Ray cannot start {executable!r}: its path has characters that a shell would read; "
        "move the environment to a path without them"
    )
