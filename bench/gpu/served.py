"""The real server with the GPU profile: requests over HTTP, and what it says of the GPU.

Every wait is bounded. Rates are of callers on keep-alive connections, each with its next request
as soon as it has its answer; they share the cores with the server.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import urlopen

import psutil

from bench.gpu.measure import Found, Setup
from bench.gpu.nmt import TOKENS
from models.devices import nvidia

CALLERS, REDUCED_CALLERS = (1, 8, 32, 64), (1, 4)
TURN_S, REDUCED_TURN_S = 2.0, 0.5
LOAD_S = 25.0  # what one load may take
START_S = 90.0  # until every model is warm
ASK_S = 60.0  # what an answer to an operator may take
STOP_S = 30.0  # from a signal to the end
END_S = 10.0  # of a server that failed: what is left of it then is killed
POLL_S = 0.2
OF_THE_GPU = ("nv_gpu_", "model_on_gpu")  # metrics that begin so
FEW_BYTES = 64 << 20  # by which the driver's figure of used memory may differ


@dataclass(frozen=True)
class Work:
    """What callers ask of one model: whole requests, without the address."""

    name: str
    model: str
    endpoint: str
    contents: Sequence[dict[str, Any]]  # as ``bench.callers.post`` takes it
    callers: Sequence[int]


def served(setup: Setup, found: Found) -> None:
    from bench.gpu.served_models import profile

    with tempfile.TemporaryDirectory() as folder:
        config_path = profile(setup, found, Path(folder))
        before_bytes = used_bytes()
        log = Path(folder) / "log"
        try:
            with launched(config_path, log, found) as (url, process):
                loads(setup, found, url, process, config_path)
                operators(found, url, config_path)
                stop(found, process, before_bytes)
        finally:
            if "stopped" not in found.raw and log.exists():
                found.raw["log"] = log.read_text(errors="replace")[-4000:]


@contextmanager
def launched(config_path: Path, log: Path, found: Found) -> Iterator[tuple[str, psutil.Popen]]:
    """The project's own command, warm; its address. Whatever happens, nothing of it stays."""
    command = [sys.executable, "-m", "deployments.cli", "serve", "--config", str(config_path)]
    started_s = time.monotonic()
    with log.open("wb") as out:
        process = psutil.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        url = warm_url(process, log)
        found.raw["warm_after_s"] = round(time.monotonic() - started_s, 1)
        print(f"  warm after {found.raw['warm_after_s']} s", flush=True)
        yield url, process
    finally:
        end(process)


def warm_url(process: psutil.Popen, log: Path) -> str:
    """Raises RuntimeError: it ended, or was not warm in time; with the end of its log."""
    until_s = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < until_s:
        said = log.read_text(errors="replace")
        if " ready at " in said:
            return said.partition(" ready at ")[2].split(",")[0]
        time.sleep(POLL_S)
    why = "ended" if process.poll() is not None else f"was not warm after {START_S:.0f} s"
    raise RuntimeError(f"the server {why}: {log.read_text(errors='replace')[-3000:]}")


def end(process: psutil.Popen) -> None:
    """Of a server that was not stopped: asked first, then killed with all that it started."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(END_S)
    except psutil.TimeoutExpired:
        family = [*process.children(recursive=True), process]
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(family, timeout=END_S / 2)


# ---- loads -----------------------------------------------------------------------------


def works(setup: Setup) -> list[Work]:
    from bench.nmt_engines import items as sentences
    from bench.stage_inputs import speech_fields
    from bench.stage_inputs import stages as stages_of_the_defaults
    from bench.yourtts import items as spoken

    callers = CALLERS if setup.on_gpu else REDUCED_CALLERS
    speaker = next(s for s in stages_of_the_defaults() if s.name == "speaker, 1 s")
    texts: list[dict[str, Any]] = [
        {
            "json": {
                "text": item.text,
                "source_language": item.source_language,
                "target_language": item.target_language,
                "max_tokens": TOKENS,
            }
        }
        for item in sentences(64, TOKENS)
    ]
    speeches: list[dict[str, Any]] = [
        {"json": speech_fields(item.text, item.voice)} for item in spoken()
    ]
    return [
        Work("speaker, 1 s", "speaker", speaker.endpoint, speaker.contents, callers),
        Work(f"nmt, {TOKENS} tokens", "nmt", "/v1/text/translations", texts, callers),
        Work("tts, a sentence", "tts", "/v1/audio/speech", speeches, callers[:3]),
    ]


def loads(setup: Setup, found: Found, url: str, process: psutil.Popen, config_path: Path) -> None:
    from bench.callers import post
    from bench.serving import Server
    from deployments.config.files import load

    args = load(config_path).applications[0].args
    server = Server(url, args, psutil.Process(process.pid))
    found.raw["lines"] = []
    found.raw["gpu_under_load"] = {}
    for work in works(setup):
        requests = [post(f"{url}{work.endpoint}", **content) for content in work.contents]
        for callers in work.callers:
            begin = lambda: watch(url, work.name, found)  # noqa: E731, B023
            busiest = callers == work.callers[-1]
            line = turn(setup, server, work, requests, callers, begin if busiest else None)
            found.raw["lines"].append(line)
            print(
                f"  {work.name}, {callers} callers: {line['requests_a_s']:.1f} requests/s, "
                f"p50 {line['p50_ms']:.1f} ms, {line['mean_batch']:.1f} items a batch",
                flush=True,
            )


def turn(
    setup: Setup,
    server: Any,
    work: Work,
    requests: Sequence[bytes],
    callers: int,
    begin: Callable[[], Thread] | None,
) -> dict[str, Any]:
    """So many callers for about ``TURN_S``, once their number has found its pace."""
    paced = bounded_load(server.url, requests, callers, 2 * callers, 2 * callers)
    counted = max(2 * callers, round(paced.rate * (TURN_S if setup.on_gpu else REDUCED_TURN_S)))
    counts, cpu_s = server.counts(work.model), server.cpu_s()
    watching = begin() if begin else None
    load = bounded_load(server.url, requests, callers, counted, callers)
    ran = server.counts(work.model) - counts
    spent_s = {name: cpu - cpu_s.get(name, 0.0) for name, cpu in server.cpu_s().items()}
    if watching:
        watching.join(ASK_S)
    return {
        "work": work.name,
        "model": work.model,
        "callers": callers,
        "requests": len(load.answers),
        "requests_a_s": load.rate,
        "p50_ms": 1000 * load.percentile_s(50),
        "p95_ms": 1000 * load.percentile_s(95),
        "mean_batch": ran.mean_batch,
        # Shares of a core.
        "ingress_cpu": spent_s.get("Ingress", 0.0) / load.whole_s,
        "model_cpu": spent_s.get(work.model, 0.0) / load.whole_s,
        "callers_cpu": load.cpu_s / load.whole_s,
    }


def bounded_load(
    url: str, requests: Sequence[bytes], callers: int, counted: int, ahead: int
) -> Any:
    import uvloop

    from bench.callers import load_from_loop

    async def bounded() -> Any:
        return await asyncio.wait_for(
            load_from_loop(url, requests, callers, counted, ahead), LOAD_S
        )

    return uvloop.run(bounded())


def watch(url: str, name: str, found: Found) -> Thread:
    """Asks for the GPU's metrics in the middle of a load."""

    def ask() -> None:
        time.sleep(TURN_S / 2)
        found.raw["gpu_under_load"][name] = gpu_metrics(url)

    thread = Thread(target=ask, daemon=True)
    thread.start()
    return thread


# ---- what the server says --------------------------------------------------------------


def gpu_metrics(url: str) -> dict[str, float]:
    with urlopen(f"{url}/metrics", timeout=ASK_S) as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line.startswith(OF_THE_GPU))
    return {name: float(value) for name, value in pairs}


def operators(found: Found, url: str, config_path: Path) -> None:
    """Metrics and doctor, after the loads: first and later batches are known."""
    found.raw["metrics"] = gpu_metrics(url)
    with urlopen(f"{url}/v1/doctor", timeout=ASK_S) as answer:
        found.raw["doctor"] = json.load(answer)
    command = [sys.executable, "-m", "deployments.cli", "doctor", "--config", str(config_path)]
    done = subprocess.run(command, capture_output=True, timeout=ASK_S, text=True, check=False)
    found.raw["doctor_text"], found.raw["doctor_exit"] = done.stdout, done.returncode
    print(done.stdout, done.stderr[-2000:], flush=True)


def stop(found: Found, process: psutil.Popen, before_bytes: int | None) -> None:
    """SIGTERM: how long it takes, what is left of its processes and of the GPU's memory."""
    family = process.children(recursive=True)
    serving_bytes = used_bytes()
    started_s = time.monotonic()
    process.terminate()
    exit_code = process.wait(STOP_S)
    took_s = time.monotonic() - started_s
    left = [one.name() for one in family if one.is_running()]
    found.raw["stopped"] = {
        "exit_code": exit_code,
        "took_s": round(took_s, 1),
        "processes_before": len(family) + 1,
        "processes_left": left,
        "gpu_bytes_before": before_bytes,
        "gpu_bytes_serving": serving_bytes,
        "gpu_bytes_after": freed_bytes(before_bytes),
    }
    print(f"  {found.raw['stopped']}", flush=True)


def freed_bytes(before_bytes: int | None) -> int | None:
    """Memory in use on the GPU once the driver has taken back what ended processes had."""
    until_s = time.monotonic() + 5
    now_bytes = used_bytes()
    while (
        before_bytes is not None
        and now_bytes is not None
        and now_bytes > before_bytes + FEW_BYTES
        and time.monotonic() < until_s
    ):
        time.sleep(POLL_S)
        now_bytes = used_bytes()
    return now_bytes


def used_bytes() -> int | None:
    gpu = nvidia.first_visible()
    return gpu.used_bytes if gpu else None
