"""Run stock clients, each in an environment of its own, against a server: ``make stock-clients``.

    python -m tests.clients [--base-url URL] [--key KEY] [--only NAME ...] [--folder build/clients]

Without ``--base-url`` it serves the default configuration itself. It needs PyPI, npm and Chromium
(Debian: ``apt-get install npm chromium``), so it is no part of the CI. A client that cannot be
installed here is a row that failed, too.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from models.audio.decode import resample
from models.types import Audio, Samples
from tests.support.server import ROOT, config_on_a_free_port, start
from tests.support.speech import clip

HERE = Path(__file__).parent
CONFIG = ROOT / "serve_config.yaml"
RATE_HZ, PAUSE_S = 24_000, 0.8
INSTALL_S, RUN_S = 900, 600
OURS = ("PYTHONPATH", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Client:
    """A stock client: where it comes from, and the script that uses it."""

    packages: Sequence[str]
    script: str
    has_npm: bool = False


CLIENTS = {
    "openai": Client(["openai[realtime]==3.57.0"], "openai_realtime.py"),
    "openai-audio": Client(["openai==3.57.0"], "openai_audio.py"),
    "agents": Client(["openai-agents[voice]==0.24.0"], "agents_stt.py"),
    "livekit": Client(["livekit-plugins-openai==1.8.9"], "livekit_stt.py"),
    "npm": Client(["openai@6.49.0"], "browser/chromium.py", has_npm=True),
    "npm-newest": Client(["openai@latest"], "browser/chromium.py", has_npm=True),
}


Row: TypeAlias = dict[str, Any]


class NotInstalled(Exception):
    """A client cannot be had here; the message says why."""


# ---- environments --------------------------------------------------------------------------


def installed(name: str, client: Client, folder: Path) -> list[str]:
    """Make a client's environment where it is missing; return the command that runs its script."""
    place = folder / name
    made_of = place / "made-of"
    wanted = "\n".join(client.packages)
    if not (made_of.exists() and made_of.read_text() == wanted):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        print(f"installing {', '.join(client.packages)}", flush=True)
        for command in _installing(place, client):
            _run(command)
        made_of.write_text(wanted)
    if client.has_npm:
        module = "tests.clients." + client.script.removesuffix(".py").replace("/", ".")
        return [sys.executable, "-m", module, "--modules", str(place / "node_modules")]
    return [str(place / "bin" / "python"), str(HERE / client.script)]


def _installing(place: Path, client: Client) -> Iterator[list[str]]:
    if client.has_npm:
        yield ["npm", "install", "--silent", "--prefix", str(place), *client.packages]
        return
    yield [sys.executable, "-m", "venv", str(place)]
    yield [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", *client.packages]


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            command, env=foreign(), capture_output=True, text=True, timeout=INSTALL_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(str(error)) from error
    if done.returncode:
        raise NotInstalled((done.stdout + done.stderr).strip()[-300:])


def foreign() -> dict[str, str]:
    """Return this process's environment without what leads to Dragoman's own packages."""
    return {name: value for name, value in os.environ.items() if name not in OURS}


# ---- a run ---------------------------------------------------------------------------------


def speech(path: Path) -> Path:
    """Write two prompts with pauses, as the realtime protocols have sound."""
    pause = np.zeros(round(PAUSE_S * RATE_HZ), np.int16)
    parts: list[Samples] = [pause]
    for name in ("en-please-try-call-later", "en-agent-newlocation"):
        audio = resample(Audio(clip(name).samples(), 16_000), RATE_HZ)
        parts += [audio.samples, pause]
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(np.concatenate(parts).astype("<i2").tobytes())
    return path


def rows_of(
    name: str, client: Client, args: argparse.Namespace, file: Path
) -> list[dict[str, Any]]:
    """Run one client; its rows, or one that says why there are none."""
    failed = {"client": f"{name}: {', '.join(client.packages)}", "call": "", "ok": False}
    try:
        command = installed(name, client, args.folder.resolve())
    except NotInstalled as error:
        return [{**failed, "said": f"not installed: {error}"}]
    command += ["--base-url", args.base_url, "--key", args.key, str(file)]
    environment = dict(os.environ) if client.has_npm else foreign()
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=RUN_S, cwd=ROOT
        )
    except subprocess.TimeoutExpired:
        return [{**failed, "said": f"no end after {RUN_S} s"}]
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        return [{**failed, "ok": done.returncode == 0, "said": (done.stdout + done.stderr)[-500:]}]
    return [json.loads(line) for line in lines]


@contextmanager
def server(args: argparse.Namespace) -> Iterator[None]:
    """Serve the default configuration, unless a server was named.

    Sessions are let in whatever the models carry: two cores are too slow to speak Portuguese in
    time, and what is looked at is the protocol.
    """
    if args.base_url:
        yield
        return
    import yaml

    with tempfile.TemporaryDirectory() as folder:
        config = yaml.safe_load(CONFIG.read_text())
        application = next(each for each in config["applications"] if each["name"] == "dragoman")
        application["args"].setdefault("live", {})["max_load"] = None
        running = start(config_on_a_free_port(Path(folder), config))
        try:
            args.base_url = f"{running.url}/v1"
            yield
        finally:
            running.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base-url", help="such as http://127.0.0.1:8000/v1")
    parser.add_argument("--key", default="none")
    parser.add_argument("--only", nargs="+", choices=CLIENTS, default=[*CLIENTS])
    parser.add_argument("--folder", type=Path, default=Path("build/clients"))
    parser.add_argument("--prepare", action="store_true", help="make the environments alone")
    args = parser.parse_args()
    if args.prepare:
        for name in args.only:
            installed(name, CLIENTS[name], args.folder.resolve())
        return
    failed = False
    with tempfile.TemporaryDirectory() as folder, server(args):
        file = speech(Path(folder) / "speech.wav")
        for name in args.only:
            for row in rows_of(name, CLIENTS[name], args, file):
                failed |= not row["ok"]
                state = "ok  " if row["ok"] else "FAIL"
                print(f"{state} {row['client']}: {row['call']}: {row['said']}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
