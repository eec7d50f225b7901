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
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from tests.clients.__main__ import CONFIG, foreign, speech
from tests.support.server import ROOT, config_on_a_free_port, running

PACKAGES = ["playwright==1.65.2"]
AXE = "axe-core@4.14.1"
LIMIT_S = 3600
# English can be spoken in time on a small machine, so a flow that must hear speech has these.
SPANISH = ("es-conf-invalid", "es-conf-now-muted")


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
    with TemporaryDirectory() as folder:
        with running(config_on_a_free_port(Path(folder), config)) as server:
            (ingress,) = server.replicas("Ingress")
            yield {"url": f"{server.url}/", "pid": ingress.pid}


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
    with ExitStack() as stack:
        keyed = stack.enter_context(fakes("--key"))
        server = {"url": args.base_url, "pid": 0}
        if args.base_url is None:
            server = stack.enter_context(real() if args.real else fakes())
        asked = {
            "is_real": is_real,
            "url": server["url"],
            "key": args.key,
            "server_pid": server["pid"],  # 0: it is not ours
            "keyed_url": keyed["url"],
            "keyed_key": keyed["key"],
            "wav": str(speech(folder / "speech.wav")),
            "spanish_wav": str(speech(folder / "spanish.wav", SPANISH)),
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
