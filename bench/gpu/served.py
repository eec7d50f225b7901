"""The real server with the GPU profile: requests over HTTP, and what it says of the GPU.

Rates are of callers on keep-alive connections, each with its next request as soon as it has its
answer; they share the cores with the server.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Timer
from typing import Any

from bench.engine_inputs import texts_to_speak, texts_to_translate
from bench.gpu.measure import Found, Setup
from bench.gpu.nmt import TOKENS
from bench.gpu.served_models import profile
from bench.serving import Server, load, serving
from bench.stage_inputs import speech_fields, stages
from load.connections import prepared
from models.devices import nvidia

CALLERS, REDUCED_CALLERS = (1, 8, 32, 64), (1, 4)
TURN_S, REDUCED_TURN_S = 2.0, 0.5
ASK_S = 60.0  # what an answer to an operator may take
STOP_S = 30.0  # from a signal to the end
POLL_S, FREED_S = 0.2, 5.0
OF_THE_GPU = ("nv_gpu_", "model_on_gpu")  # metrics that begin so
FEW_BYTES = 64 << 20  # by which the driver's figure of used memory may differ


@dataclass(frozen=True)
class Work:
    """The requests that callers send to one model, without the address."""

    name: str
    model: str
    endpoint: str
    contents: Sequence[dict[str, Any]]  # as ``prepared`` takes it
    callers: Sequence[int]


def served(setup: Setup, found: Found) -> None:
    before_bytes = used_bytes()
    with serving(profile(setup, found)) as server:
        found.raw["warm_after_s"] = round(server.start_s, 1)
        print(f"  warm after {server.start_s:.1f} s", flush=True)
        loads(setup, found, server)
        operators(found, server)
        stop(found, server, before_bytes)


# ---- loads -----------------------------------------------------------------------------


def works(setup: Setup) -> list[Work]:
    callers = CALLERS if setup.on_gpu else REDUCED_CALLERS
    speaker = next(stage for stage in stages() if stage.name == "speaker, 1 s")
    texts: list[dict[str, Any]] = [
        {
            "json": {
                "text": item.text,
                "source_language": item.source_language,
                "target_language": item.target_language,
                "max_tokens": TOKENS,
            }
        }
        for item in texts_to_translate(64, TOKENS)
    ]
    speeches: list[dict[str, Any]] = [
        {"json": speech_fields(item.text, item.voice)} for item in texts_to_speak()
    ]
    return [
        Work(speaker.name, "speaker", speaker.endpoint, speaker.contents, callers),
        Work(f"nmt, {TOKENS} tokens", "nmt", "/v1/text/translations", texts, callers),
        Work("tts, a sentence", "tts", "/v1/audio/speech", speeches, callers[:3]),
    ]


def loads(setup: Setup, found: Found, server: Server) -> None:
    found.raw |= {"lines": [], "gpu_under_load": {}}
    for work in works(setup):
        requests = [prepared(f"{server.url}{work.endpoint}", **each) for each in work.contents]
        for callers in work.callers:
            busiest = callers == work.callers[-1]
            look = (lambda work=work: watch(server, work.name, found)) if busiest else None
            line = turn(setup, server, work, requests, callers, look)
            found.raw["lines"].append(line)
            print(
                f"  {work.name}, {callers} callers: {line['requests_a_s']:.1f} requests/s, "
                f"p50 {line['p50_ms']:.1f} ms, {line['mean_batch']:.1f} items a batch",
                flush=True,
            )


def turn(
    setup: Setup,
    server: Server,
    work: Work,
    requests: Sequence[bytes],
    callers: int,
    look: Callable[[], None] | None,
) -> dict[str, Any]:
    """Load for about ``TURN_S``, once the callers have found their pace; look in the middle."""
    turn_s = TURN_S if setup.on_gpu else REDUCED_TURN_S
    paced = load(server.url, requests, callers, 2 * callers, 2 * callers)
    counted = max(2 * callers, round(paced.rate * turn_s))
    counts, cpu_s = server.counts(work.model), server.cpu_s()
    timer = Timer(turn_s / 2, look) if look else None
    if timer:
        timer.start()
    loaded = load(server.url, requests, callers, counted, callers)
    ran = server.counts(work.model) - counts
    spent_s = {name: cpu - cpu_s.get(name, 0.0) for name, cpu in server.cpu_s().items()}
    if timer:
        timer.join(ASK_S)
    return {
        "work": work.name,
        "model": work.model,
        "callers": callers,
        "requests": len(loaded.answers),
        "requests_a_s": loaded.rate,
        "p50_ms": loaded.percentile_ms(50),
        "p95_ms": loaded.percentile_ms(95),
        "mean_batch": ran.mean_batch,
        # Shares of a core.
        "ingress_cpu": spent_s.get("Ingress", 0.0) / loaded.whole_s,
        "model_cpu": spent_s.get(work.model, 0.0) / loaded.whole_s,
        "callers_cpu": loaded.cpu_s / loaded.whole_s,
    }


def watch(server: Server, name: str, found: Found) -> None:
    found.raw["gpu_under_load"][name] = gpu_metrics(server)


# ---- what the server says --------------------------------------------------------------


def gpu_metrics(server: Server) -> dict[str, float]:
    lines = server.get("/metrics").splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line.startswith(OF_THE_GPU))
    return {name: float(value) for name, value in pairs}


def operators(found: Found, server: Server) -> None:
    """Ask for metrics and doctor after the loads: first and later batches are known."""
    found.raw["metrics"] = gpu_metrics(server)
    found.raw["doctor"] = json.loads(server.get("/v1/doctor"))
    command = [sys.executable, "-m", "deployments.cli", "doctor"]
    command += ["--config", str(server.running.config_path)]
    done = subprocess.run(command, capture_output=True, timeout=ASK_S, text=True, check=False)
    found.raw["doctor_text"], found.raw["doctor_exit"] = done.stdout, done.returncode
    print(done.stdout, done.stderr[-2000:], flush=True)


def stop(found: Found, server: Server, before_bytes: int | None) -> None:
    """Send SIGTERM: how long it takes, what is left of its processes and of the GPU's memory."""
    process = server.process
    family, serving_bytes = process.children(recursive=True), used_bytes()
    started_s = time.monotonic()
    server.running.process.terminate()
    exit_code = server.running.process.wait(STOP_S)
    took_s = time.monotonic() - started_s
    found.raw["stopped"] = {
        "exit_code": exit_code,
        "took_s": round(took_s, 1),
        "processes_before": len(family) + 1,
        "processes_left": [one.name() for one in family if one.is_running()],
        "gpu_bytes_before": before_bytes,
        "gpu_bytes_serving": serving_bytes,
        "gpu_bytes_after": freed_bytes(before_bytes),
    }
    print(f"  {found.raw['stopped']}", flush=True)


def freed_bytes(before_bytes: int | None) -> int | None:
    """Return the memory in use once the driver has taken back what ended processes had."""
    until_s = time.monotonic() + FREED_S
    while (now_bytes := used_bytes()) is not None and before_bytes is not None:
        if now_bytes <= before_bytes + FEW_BYTES or time.monotonic() > until_s:
            break
        time.sleep(POLL_S)
    return now_bytes


def used_bytes() -> int | None:
    gpu = nvidia.first_visible()
    return gpu.used_bytes if gpu else None
