"""Drive the page in Chromium, from an environment of its own: ``make page-tests``.

    python -m tests.page [--real | --base-url URL] [--key KEY] [--only FLOW ...]
                         [--folder build/page] [--shots docs/page]

It serves the page on fakes itself; with ``--real`` the default configuration, whose models are
slow on a small machine (``--patience-s 60``). Ten minutes of live speech with two listeners, and
what the tab and the server hold at the start and at the end:

    python -m tests.page --real --only endurance --minutes 10 --patience-s 90

It needs PyPI, npm and Chromium (Debian: ``apt-get install npm chromium``), so it is no part of the
CI.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import wave
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import yaml

from tests.clients.__main__ import CONFIG, foreign, speech
from tests.support.server import ROOT, config_on_a_free_port, running

PACKAGES = ["playwright==1.65.2"]
AXE = "axe-core@4.14.1"
LIMIT_S = 3600
# English can be spoken in time on a small machine, so this is what a flow hears that must speak.
PORTUGUESE = "Bom dia a todos. O barco para as ilhas sai às nove da manhã."
PAUSE_S, MAX_SAMPLES = 1.0, 1 << 20


def environment(folder: Path) -> Path:
    """Return the Python of an environment with Playwright; make it, and axe, where missing."""
    made_of, wanted = folder / "made-of", "\n".join([*PACKAGES, AXE])
    python = folder / "venv" / "bin" / "python"
    if not (made_of.exists() and made_of.read_text() == wanted):
        folder.mkdir(parents=True, exist_ok=True)
        print(f"installing {', '.join(PACKAGES)} and {AXE}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        subprocess.run(["npm", "install", "--silent", "--prefix", str(folder), AXE], check=True)
        made_of.write_text(wanted)
    return python


@contextmanager
def fakes(*options: str) -> Iterator[dict[str, Any]]:
    """Serve the page on fakes in a process of its own; its address and key."""
    command = [sys.executable, "-m", "tests.page.speaking", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            told: dict[str, Any] = json.loads(process.stdout.readline())
            yield {**told, "pid": process.pid}
        finally:
            process.terminate()


@contextmanager
def real() -> Iterator[dict[str, Any]]:
    """Serve the default configuration; its address, and the process of its ingress."""
    config = yaml.safe_load(CONFIG.read_text())
    with (
        TemporaryDirectory() as folder,
        running(config_on_a_free_port(Path(folder), config)) as server,
    ):
        (ingress,) = server.replicas("Ingress")
        yield {"url": f"{server.url}/", "pid": ingress.pid}


def portuguese(url: str, key: str, path: Path) -> Path:
    """Have the server itself speak Portuguese with a pause behind it, unless it was done before."""
    if path.exists():
        return path
    asked = {"input": PORTUGUESE, "language": "pt", "response_format": "wav"}
    headers = {"authorization": f"Bearer {key}"} if key else {}
    answer = httpx.post(f"{url}v1/audio/speech", json=asked, headers=headers, timeout=120)
    answer.raise_for_status()
    with wave.open(io.BytesIO(answer.content)) as spoken:
        rate_hz, frames = spoken.getframerate(), spoken.readframes(MAX_SAMPLES)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(frames + bytes(2 * round(PAUSE_S * rate_hz)))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base-url", help="such as http://127.0.0.1:8000/")
    parser.add_argument("--real", action="store_true", help="serve the default configuration")
    parser.add_argument("--key", default="", help="of the server that --base-url names")
    parser.add_argument("--only", nargs="+", default=[], help="flows, such as live_speaks")
    parser.add_argument("--folder", type=Path, default=Path("build/page"))
    parser.add_argument("--shots", type=Path, default=Path("build/page/shots"))
    parser.add_argument("--minutes", type=float, default=0.5, help="that the endurance flow takes")
    parser.add_argument("--patience-s", type=float, default=20, help="with anything that comes")
    args = parser.parse_args()
    folder = args.folder.resolve()
    python = environment(folder)
    is_real = args.real or args.base_url is not None
    wav = speech(folder / "speech.wav")
    with ExitStack() as stack:
        keyed = stack.enter_context(fakes("--key"))
        server = {"url": args.base_url, "pid": 0}  # 0: it is not ours
        if args.base_url is None:
            server = stack.enter_context(real() if args.real else fakes())
        other = wav
        if is_real:
            other = portuguese(server["url"], args.key, folder / "portuguese.wav")
        asked = {
            "is_real": is_real,
            "url": server["url"],
            "key": args.key,
            "server_pid": server["pid"],
            "keyed_url": keyed["url"],
            "keyed_key": keyed["key"],
            "wav": str(wav),
            "portuguese_wav": str(other),
            "axe": str(folder / "node_modules" / "axe-core" / "axe.min.js"),
            "shots": str(args.shots.resolve()),
            "minutes": args.minutes,
            "patience_s": args.patience_s,
        }
        command = [str(python), "-m", "tests.page.browser", json.dumps(asked), *args.only]
        done = subprocess.run(command, env=foreign(), cwd=ROOT, timeout=LIMIT_S, check=False)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
