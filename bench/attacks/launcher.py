"""Kills of what a server stands on, and damage to each file that it keeps.

A part of ``bench.attacks``.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import yaml

from bench.attacks.target import Row
from bench.serving import config_of, serving, sleeper
from tests.support.hub import COMMIT, Hub, serve
from tests.support.published.m2m100 import TINY, write_model, write_tokenizer
from tests.support.server import ROOT, Running

END_S = 60.0  # what a server may take to end, whatever dies
CLUSTER_DIED = 4  # the launcher's exit code
Opening = Callable[[], None]

# Load one engine, in a process of its own as a replica is, so that nothing is remembered.
LOAD = """
import json, sys
from models.devices.device import DeviceRequest
from models.registry import find_engine
from models.runtime import RuntimeSettings
engine, weights = sys.argv[1:]
device = DeviceRequest("cpu", threads=1)
settings = RuntimeSettings(engine, weights, device, files=find_engine(engine).engine.files)
find_engine(engine).create(settings).load()
"""
FIND = """
import sys
from models.weights.source import resolve
for name in sys.argv[2:]:
    resolve(sys.argv[1]).file(name)
"""


def measure() -> list[Row]:
    """Try every attack of this file, one after another."""
    kills = [_ended_by(name, kill) for name, kill in KILLS.items()]
    return [*kills, _leftovers_are_named(), *_damaged_files()]


# ---- what dies ---------------------------------------------------------------------------


def _named(name: str) -> Callable[[Running, list[psutil.Process]], psutil.Process]:
    return lambda _, processes: next(each for each in processes if each.name() == name)


KILLS: dict[str, Callable[[Running, list[psutil.Process]], psutil.Process]] = {
    "raylet": _named("raylet"),
    "GCS": _named("gcs_server"),
    "launcher": lambda server, _: psutil.Process(server.process.pid),
}


@contextmanager
def _server() -> Iterator[tuple[Running, list[psutil.Process]]]:
    """Run a server of one model; yield it with its processes."""
    with serving(config_of({"speaker": sleeper()})) as server:
        yield server.running, server.process.children(recursive=True)


def _ended_by(name: str, victim: Callable[[Running, list[psutil.Process]], psutil.Process]) -> Row:
    with _server() as (server, processes):
        began = time.monotonic()
        victim(server, processes).kill()
        left = [each for each in processes if not _ends(each, began + END_S)]
        took_s = time.monotonic() - began
        code = server.process.wait(END_S)
    figure = f"{len(processes) - len(left)} of {len(processes)} processes gone after {took_s:.1f} s"
    return Row(
        "killed launcher" if name == "launcher" else "killed Ray",
        f"kill -9 of the {name}",
        f"{figure}, exit code {code}",
        f"all within {END_S:.0f} s" + ("" if name == "launcher" else f", exit code {CLUSTER_DIED}"),
        not left and (code == CLUSTER_DIED or name == "launcher"),
    )


def _ends(process: psutil.Process, until: float) -> bool:
    while process.is_running() and time.monotonic() < until:
        time.sleep(0.05)
    return not process.is_running()


def _leftovers_are_named() -> Row:
    with _server() as (server, processes):
        cleanup = psutil.Process(server.process.pid).children()[0]
        cleanup.suspend()  # so that it cannot clean up between the two
        server.process.kill()
        cleanup.kill()
        command = [sys.executable, "-m", "deployments.cli", "serve", "--config"]
        command.append(str(server.config_path))
        again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        said = again.stderr.strip()
        cure = said.rpartition("end them: ")[2]
        named = {int(pid) for pid in cure.removeprefix("kill -9 ").split()}
        left = {each.pid for each in processes if each.is_running()}
        subprocess.run(cure, shell=True, check=False)
        stay = [each for each in processes if not _ends(each, time.monotonic() + END_S)]
    figure = f"exit code {again.returncode}; {len(named & left)} of {len(left)} processes are named"
    return Row(
        "killed launcher",
        "kill -9 of the launcher and its cleanup process, and another start",
        figure,
        "its message ends all of them",
        bool(left) and not stay,
    )


# ---- what is damaged -----------------------------------------------------------------------


def _damaged_files() -> Iterator[Row]:
    models = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    shipped = models["applications"][0]["args"]["models"]
    with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory() as published:
        cache = {"DRAGOMAN_CACHE": made}
        write_model(Path(published), write_tokenizer(Path(published)), **TINY)
        for name in ("asr", "tts-pt"):
            arguments = shipped[name]["engine"], shipped[name]["weights"]
            _in_a_process(LOAD, arguments, cache)
            yield from _healed("joined", made, partial(_in_a_process, LOAD, arguments, cache))
            _empty(Path(made))
        arguments = "m2m100", f"path:{published}"
        _in_a_process(LOAD, arguments, cache)
        yield from _healed("converted", made, partial(_in_a_process, LOAD, arguments, cache))
    files = {"config.json": b"{}", "model.bin": os.urandom(1 << 20)}
    with serve(Hub({"someone/model": files})) as hub, tempfile.TemporaryDirectory() as home:
        there = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": home}
        wanted = f"hf:someone/model@{COMMIT}", *files
        _in_a_process(FIND, wanted, there)
        yield from _healed("downloaded", home, partial(_in_a_process, FIND, wanted, there))


def _healed(kind: str, folder: str, opening: Opening) -> Iterator[Row]:
    """Flip a bit of each file, keep its time of change, and open it again."""
    before = _digests(Path(folder))
    for path in before:
        _flip_a_bit(path)
        began = time.monotonic()
        opening()
        took_s = time.monotonic() - began
        size_mb = path.stat().st_size / 1e6
        is_whole = _digests(Path(folder)) == before
        what = f"a flipped bit in {kind} {path.name[:40]}"
        found = "as before" if is_whole else "not as before"
        figure = f"{size_mb:.1f} MB {found}; loaded in {took_s:.1f} s"
        yield Row("damaged cache", what, figure, "as before", is_whole)


def _digests(folder: Path) -> dict[Path, str]:
    """Digest the files that are read, but for links, whose targets are there."""
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.stat().st_size and _is_kept(path)
    }


def _is_kept(path: Path) -> bool:
    """Tell whether it is of ours, or weights: the hub's client has lists of its own."""
    return "locks" not in path.parts and ("hub" not in path.parts or "blobs" in path.parts)


def _flip_a_bit(path: Path) -> None:
    times = path.stat()
    with path.open("r+b") as file:
        file.seek(times.st_size // 2)
        (value,) = file.read(1)
        file.seek(times.st_size // 2)
        file.write(bytes([value ^ 1]))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def _in_a_process(code: str, arguments: tuple[str, ...], environment: Mapping[str, str]) -> None:
    command = [sys.executable, "-c", code, *arguments]
    subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, check=True, capture_output=True
    )
