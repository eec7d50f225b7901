"""Run the image's commands as a container does: its user, its environment, a read-only root."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from deployments.security.keys import new_key
from dragoman_client import Client
from tests.support.speech import clips

USER = 10001
STATE = "/var/lib/dragoman"
ENVIRONMENT = {  # as the Dockerfile sets it
    "PATH": "/opt/dragoman/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": STATE,
    "DRAGOMAN_CACHE": f"{STATE}/weights",
    "HF_HOME": f"{STATE}/weights/huggingface",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
}
SERVE = ("dragoman", "serve", "--config", "/etc/dragoman/serve_config.yaml")
PORT, READY_S, STOP_S = 8765, 300.0, 120.0
APART = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
# In a namespace of mounts of its own: the root read-only, the volume and three tmpfs writable.
INSIDE = """
set -e
mount --bind "$1" "$1"
mount --bind "$2" "$1/var/lib/dragoman"
mount --bind "$3" "$1/etc/dragoman/serve_config.yaml"
mount -t proc proc "$1/proc"
mount -t tmpfs tmpfs "$1/tmp"
mount --rbind /dev "$1/dev"
mount -o remount,bind,ro "$1"
root=$1; shift 3
exec chroot --userspec=10001:10001 "$root" /bin/sh -c 'cd /var/lib/dragoman && exec "$@"' sh "$@"
"""


def started(root: Path, state: Path, config: Path, *command: str) -> subprocess.Popen[str]:
    """Start a command of the image."""
    state.mkdir(parents=True, exist_ok=True)
    os.chown(state, USER, USER)
    return subprocess.Popen(
        [*APART, "sh", "-c", INSIDE, "sh", str(root), str(state), str(config), *command],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def check_without_a_key(root: Path) -> None:
    """Assert that the image's own configuration does not start, and says what is missing."""
    config = root / "etc" / "dragoman" / "serve_config.yaml"
    state = root / "var" / "lib" / "dragoman"
    process = started(root, state, config, *SERVE)
    said, _ = process.communicate(timeout=STOP_S)
    assert process.returncode == 2, said
    assert "dragoman key new" in said, said


def check_server(root: Path, state: Path, project: Path) -> None:
    """Assert that the server starts with a key, translates speech, refuses strangers, and stops."""
    key, digest = new_key()
    config = state.with_suffix(".yaml")
    document = yaml.safe_load((project / "deploy/container/serve_config.yaml").read_text())
    arguments = document["applications"][0]["args"]
    arguments["security"] = {"keys": [{"name": "image", "hash": digest, "scopes": ["infer"]}]}
    arguments["ingress"]["port"] = PORT
    config.write_text(yaml.safe_dump(document))
    shutil.rmtree(state, ignore_errors=True)
    with serving(root, state, config):
        began = time.monotonic()
        wait_until_ready()
        print(f"the server was ready after {time.monotonic() - began:.0f} s")
        clip = clips("en")[0]
        with Client(f"http://127.0.0.1:{PORT}", key=key) as client:
            answer = client.translate_speech(clip.path, target_language="pt")
        assert answer.audio is not None
        print(f"heard: {answer.transcript.text}\ntranslated: {answer.translation.text}")
        print(f"spoken: {len(answer.audio.data):,} bytes")
        assert stranger() == 401


@contextmanager
def serving(root: Path, state: Path, config: Path) -> Iterator[None]:
    """Run the image's server, and assert that it stops in order."""
    process = started(root, state, config, *SERVE)
    try:
        yield
        os.kill(child_of(process.pid), signal.SIGTERM)
        said, _ = process.communicate(timeout=STOP_S)
        assert process.returncode == 0, said
    finally:
        process.kill()


def child_of(pid: int) -> int:
    """Return the process that `unshare` started: the first one of its namespace."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def wait_until_ready() -> None:
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health/ready", timeout=4):
                return
        except OSError:
            time.sleep(1)
    raise AssertionError(f"not ready after {READY_S:.0f} s")


def stranger() -> int:
    """Return the status that a caller without a key gets."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/v1/models", timeout=4) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
