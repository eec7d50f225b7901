"""The whole server over HTTP, before models that sleep in processes of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.graph_waste.profiles import Profile
from bench.graph_waste.virtual import DELAY_MS, ENGINES, utterance
from bench.serving import Config, Server, config_of, load, serving
from bench.stage_inputs import wav
from load.connections import prepared

INGRESS = "Ingress"


@dataclass(frozen=True)
class Served:
    """What so many callers got, and where the processor time of an utterance went."""

    callers: int
    rate: float  # utterances/s
    p50_ms: float
    batches: dict[str, float]  # mean items of each stage
    ingress_ms: float
    models_ms: float
    rest_ms: float
    callers_ms: float


def config(profile: Profile) -> Config:
    models = {
        name: {
            "engine": ENGINES[name],
            "options": {"base_ms": float(stage.base_ms), "item_ms": float(stage.item_ms)},
        }
        for name, stage in profile.items()
    }
    batching = {
        name: {"max_batch_size": stage.rows, "max_queue_delay_ms": DELAY_MS}
        for name, stage in profile.items()
    }
    return config_of(models, batching)


def measure(profile: Profile, callers: Sequence[int], seconds: float) -> list[Served]:
    """Load a server that has warmed up with each number of callers in turn."""
    with serving(config(profile)) as server:
        request = prepared(
            f"{server.url}/v1/speech/translations",
            files={"file": ("a.wav", wav(utterance()))},
            data={"source_language": "en", "target_language": "pt", "audio_format": "wav"},
        )
        load(server.url, [request], callers=4, counted=8)
        return [_loaded(server, request, profile, count, seconds) for count in callers]


def _loaded(
    server: Server, request: bytes, profile: Profile, callers: int, seconds: float
) -> Served:
    warm = load(server.url, [request], callers, counted=2 * callers)
    counted = max(2 * callers, round(warm.rate * seconds))
    before, spent = {n: server.statistics(n) for n in profile}, server.cpu_s()
    loaded = load(server.url, [request], callers, counted, ahead=callers)
    after, now = {n: server.statistics(n) for n in profile}, server.cpu_s()
    ms = {name: 1000 * (now[name] - spent.get(name, 0)) / loaded.all_answers for name in now}
    found = Served(
        callers=callers,
        rate=loaded.rate,
        p50_ms=loaded.percentile_ms(50),
        batches={
            name: (after[name]["items"] - before[name]["items"])
            / max(1, after[name]["batches"] - before[name]["batches"])
            for name in profile
        },
        ingress_ms=ms[INGRESS],
        models_ms=sum(ms[name] for name in profile),
        rest_ms=sum(ms.values()) - ms[INGRESS] - sum(ms[name] for name in profile),
        callers_ms=1000 * loaded.cpu_s / loaded.all_answers,
    )
    print(found, flush=True)
    return found
