"""Keep the folder of a run and Ray's token from other users of the machine."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from deployments.config.environment import RAY_ADDRESS, RAY_REACHABLE, starts_own_cluster
from deployments.config.security import is_loopback
from deployments.telemetry.log import logger
from models.errors import ConfigError

RAY_FOLDER = "RAY_TMPDIR"
AUTH_MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
PREFIX = "dragoman-"
# The path of a socket has 107 bytes at most, and Ray adds up to 72 to the folder of its files.
LONGEST_FOLDER_BYTES = 107 - 72
LONGEST_BASE_BYTES = LONGEST_FOLDER_BYTES - len(f"/{PREFIX}12345678")  # tempfile's letters
FOR_OTHERS = stat.S_IRWXG | stat.S_IRWXO
TOKEN_BYTES = 32


def make_run_folder(environment: Mapping[str, str]) -> Path:
    """Make a folder for Ray's temporary files, which only this user can read.

    It lies in RAY_TMPDIR, else in TMPDIR, or in /tmp if TMPDIR is too long for Ray's sockets.

    Raises:
        ConfigError: the caller's RAY_TMPDIR is too long or cannot be written.
    """
    asked = environment.get(RAY_FOLDER) or environment.get("TMPDIR") or "/tmp"
    base = str(Path(asked).absolute())  # Ray's processes run in folders of their own
    if len(os.fsencode(base)) > LONGEST_BASE_BYTES:
        if environment.get(RAY_FOLDER):
            longest = f"the paths of Ray's sockets have room for {LONGEST_BASE_BYTES} bytes"
            raise ConfigError(f"{RAY_FOLDER}: {base} is too long: {longest}")
        base = "/tmp"
    try:
        return Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))  # of mode 0700
    except OSError as error:
        raise ConfigError(f"{RAY_FOLDER}: no folder can be made in {base}: {error}") from error


def guard_token(environment: Mapping[str, str]) -> None:
    """Write Ray's token to a file that only this user can read; Ray would let everybody read it."""
    if environment.get(TOKEN) or environment.get(AUTH_MODE, "token").lower() != "token":
        return
    path = Path(environment.get(TOKEN_PATH) or Path.home() / ".ray" / "auth_token")
    try:
        if TOKEN_PATH not in environment:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w") as file:
                    file.write(secrets.token_hex(TOKEN_BYTES))
        if path.stat().st_mode & FOR_OTHERS:
            path.chmod(0o600)
    except OSError as error:
        logger.warning("Ray's token cannot be kept from others: %s", error)


def check_auth(environment: Mapping[str, str], host: str) -> None:
    """Refuse a Ray that takes commands without a token, unless only this machine reaches it.

    Raises:
        ConfigError: names the variable, and what other machines reach.
    """
    mode = environment.get(AUTH_MODE, "token")
    if mode.lower() == "token":
        return
    danger = f"{AUTH_MODE}: with {mode!r} whoever reaches a port of Ray runs code as this user"
    if beyond := _beyond_loopback(environment, host):
        raise ConfigError(f"{danger}, and {beyond}; unset it")
    logger.warning("%s: so does every user of this machine", danger)


def _beyond_loopback(environment: Mapping[str, str], host: str) -> str | None:
    """Name what another machine may reach; None: nothing."""
    if not is_loopback(host):
        return f"ingress.host is {host}"
    if not starts_own_cluster(environment):
        address = environment[RAY_ADDRESS]
        named = address.rpartition("//")[2].rpartition(":")[0].strip("[]")
        return None if is_loopback(named) else f"{RAY_ADDRESS} is {address}"
    if environment.get(RAY_REACHABLE, "0") != "0":
        return f"{RAY_REACHABLE} has Ray listen on every interface"
    return None
