"""Live sessions on the GPU profile: 1, 16, 64 and 128 at once, each fed in real time.

The weights are random, so what is said is noise and no word can be compared: a lag is that behind
the place in the source that an event names, and the work is what real weights would make, or more.
The feeder is in processes of its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.gpu.measure import Found, Setup
from bench.gpu.served_models import profile
from bench.live.audio import recorded, talk
from bench.live.feeding import Ask, Outcome, feed
from bench.live.measures import lags, share
from bench.serving import Server, serving

SESSIONS, REDUCED_SESSIONS = (1, 16, 64, 128), (1, 2)
TALK_S, REDUCED_TALK_S = 20.0, 6.0
TALKS = 16  # different ones, which the sessions share
MODELS = ("asr", "nmt")


def live(setup: Setup, found: Found) -> None:
    found.raw["live"] = []
    config = profile(setup, found)
    if "asr" not in config["applications"][0]["args"]["models"]:
        return  # the notes say why
    counts = SESSIONS if setup.on_gpu else REDUCED_SESSIONS
    with serving(config) as server, tempfile.TemporaryDirectory() as folder:
        length_s = TALK_S if setup.on_gpu else REDUCED_TALK_S
        prompts = recorded("en")
        talks = [
            talk(Path(folder) / f"{seed}.pcm", "en", length_s, seed, prompts)
            for seed in range(min(TALKS, max(counts)))
        ]
        for count in counts:
            asks = [Ask(talks[n % len(talks)], source_language="en") for n in range(count)]
            found.raw["live"].append(turn(server, asks))
            print(f"  {found.raw['live'][-1]}", flush=True)


def turn(server: Server, asks: Sequence[Ask]) -> dict[str, Any]:
    """Run some sessions at once; their line."""
    counts = {model: server.counts(model) for model in MODELS}
    cpu_s = server.cpu_s()
    outcomes = feed(f"{server.url}/v1", asks, library="websockets")
    spent_s = {name: now - cpu_s.get(name, 0.0) for name, now in server.cpu_s().items()}
    batches = {model: (server.counts(model) - counts[model]).mean_batch for model in MODELS}
    return line(outcomes) | {
        "ingress_cpu": spent_s.get("Ingress", 0.0) / asks[0].talk.duration_s,
        **{f"{model}_batch": mean for model, mean in batches.items()},
    }


def line(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    whole = [each for each in outcomes if each.is_whole]
    source = [point for each in whole for point in lags(each, each.source)]
    target = [point for each in whole for point in lags(each, each.target)]
    return {
        "sessions": len(outcomes),
        "refused": sum(each.status is not None for each in outcomes),
        "broken": sum(not each.is_whole and each.status is None for each in outcomes),
        "transcript_p50_s": share(source, 50),
        "transcript_p95_s": share(source, 95),
        "translation_p50_s": share(target, 50),
        "translation_p95_s": share(target, 95),
        "errors": sorted({each.error for each in outcomes if each.error})[:3],
    }
