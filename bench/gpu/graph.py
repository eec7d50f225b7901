"""The whole graph in this process: each model on a thread and a stream, behind its own batcher.

What random weights would say is of no use to the next stage. So each stage computes in full, and
hands on a recorded text of the length that it computed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bench.bare import answers
from bench.engine_inputs import speech
from bench.gpu.asr import TOKENS, Whisper
from bench.gpu.measure import Found, Setup, busy_ms
from bench.gpu.nmt import weights_folder
from bench.gpu.speaker import ecapa_folder
from bench.gpu.tts import yourtts_folder
from bench.results import Spread
from bench.serving import BenchFailed
from deployments.catalogue.placements import Description
from deployments.config.policy import BatchPolicy
from deployments.config.schema import AppConfig, ModelConfig
from deployments.graph.codecs import Codecs
from deployments.graph.context import Context
from deployments.graph.pipeline import Pipeline
from deployments.graph.plan import TranslateOptions
from load.endpoints import Answer
from load.steps import Length, Load, RealClock, Recording, Stepper
from models.audio.samples import to_float32
from models.devices.device import DeviceReport, DeviceRequest
from models.registry import find_engine
from models.runtime import Runtime, RuntimeSettings, RuntimeSpec
from models.types import (
    AsrItem,
    Audio,
    NmtItem,
    Segment,
    SpeakerItem,
    Transcript,
    Translation,
    TtsItem,
    VadItem,
)
from tests.support.local import LocalDirectory, LocalPlatform, LocalRemote, fake_fleet
from tests.support.m2m100_transformers import TRANSFORMERS

UTTERANCE_S = 5
ANSWER_S = 120
CALLERS, REDUCED_CALLERS = (1, 8, 32), (1, 4)
ROUNDS = 3
WINDOW_S = 10
HEARD = "Could you tell me where the station is, please?"
TRANSLATED = "Poderia dizer-me onde fica a estação, por favor?"
POLICIES = Path(__file__).parents[2] / "deploy" / "serve_config.gpu.yaml"
ENGINES_OF = {
    "vad": "silero",
    "asr": "whisper",
    "nmt": TRANSFORMERS,
    "tts": "yourtts",
    "speaker": "ecapa",
}


class Heard:
    """Run the network of Whisper as a runtime that says the recorded text."""

    def __init__(self, setup: Setup) -> None:
        self._network = Whisper(setup, WINDOW_S)

    def run(self, batch: Sequence[AsrItem]) -> list[Transcript]:
        self._network([to_float32(item.samples) for item in batch])
        return [
            Transcript(HEARD, "en", 1.0, (Segment(0.0, item.length, HEARD, (), 0, 0, 1, 0),))
            for item in batch
        ]


class Translated:
    """Run M2M100 for as many tokens, and say the recorded translation."""

    def __init__(self, runtime: Runtime[Any, Any]) -> None:
        self._runtime = runtime

    def run(self, batch: Sequence[NmtItem]) -> list[Translation]:
        answers(self._runtime, [replace(item, max_tokens=TOKENS) for item in batch])
        return [Translation(TRANSLATED, i.source_language, i.target_language) for i in batch]


class RuntimeRemote(LocalRemote):
    """A replica of a runtime that is loaded already, on a thread and a stream of its own."""

    def __init__(self, name: str, runtime: Any, description: Description, on_gpu: bool) -> None:
        self._runtime = runtime
        self.description = description
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix=name, initializer=own_stream if on_gpu else None
        )
        self.batches = []
        self.is_loading = False


class RuntimeDirectory(LocalDirectory):
    def __init__(self, config: AppConfig, remotes: dict[str, RuntimeRemote]) -> None:
        dict.__init__(self, remotes)
        self._config, self._control, self.platform = config, None, LocalPlatform()


def own_stream() -> None:
    import torch

    torch.cuda.set_stream(torch.cuda.Stream())  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Loaded:
    runtimes: dict[str, Any]
    descriptions: dict[str, Description]


def load(setup: Setup) -> Loaded:
    sources: dict[str, tuple[str, DeviceRequest, dict[str, Any]]] = {
        "vad": ("package:silero_vad", DeviceRequest("cpu", threads=1), {}),
        "nmt": (f"path:{weights_folder(setup)}", setup.request, {}),
        "tts": (f"path:{yourtts_folder(setup)}", setup.request, {}),
        "speaker": (f"path:{ecapa_folder(setup)}", setup.request, {}),
    }
    runtimes: dict[str, Any] = {"asr": Heard(setup)}
    report = DeviceReport("auto", "cpu", "", "transformers", "", 1, None, 0, 0.0)
    spec = RuntimeSpec("asr", "whisper", "random", "none", languages=("en",))
    descriptions = {"asr": Description(spec, report)}
    for name, (weights, request, options) in sources.items():
        engine = find_engine(ENGINES_OF[name])
        runtime = engine.create(RuntimeSettings(name, weights, request, options))
        descriptions[name] = Description(*runtime.load())
        runtime.warm_up()
        runtimes[name] = Translated(runtime) if name == "nmt" else runtime
    return Loaded(runtimes, descriptions)


def graph(setup: Setup, found: Found) -> None:
    loaded = load(setup)
    utterances = [item.samples for item in speech(64, UTTERANCE_S)]
    one_by_one(loaded, utterances[:1])
    sequence = [timed(partial(one_by_one, loaded, [u])) for u in utterances[:6]]
    found.raw["sequence_s"] = sequence
    found.raw["callers"] = []
    asyncio.run(_serve(setup, found, loaded, utterances))


async def _serve(setup: Setup, found: Found, loaded: Loaded, utterances: Sequence[Any]) -> None:
    config = AppConfig(
        models={name: ModelConfig(engine=engine) for name, engine in ENGINES_OF.items()}
    )
    remotes = {
        name: RuntimeRemote(name, runtime, loaded.descriptions[name], setup.on_gpu)
        for name, runtime in loaded.runtimes.items()
    }
    fleet = await fake_fleet(config, RuntimeDirectory(config, remotes), **policies())
    with Codecs(4) as codecs:
        callers = Callers(Pipeline(fleet, config, codecs), utterances)
        await callers.ask(8, 16)  # warms the shapes up
        for count in CALLERS if setup.on_gpu else REDUCED_CALLERS:
            asked = max(8, 4 * count)
            await callers.ask(count, 2 * count)
            rounds = [await callers.ask(count, asked) for _ in range(ROUNDS)]
            every_ms = [outcome.latency_ms for one in rounds for outcome in one.outcomes]
            line = {
                "callers": count,
                "utterances_a_s": vars(Spread.of([asked / one.elapsed_s for one in rounds])),
                "p50_s": float(np.quantile(every_ms, 0.5)) / 1000,
                "p95_s": float(np.quantile(every_ms, 0.95)) / 1000,
                "rows_a_batch": {
                    name: float(np.mean(remote.batches[-asked:]))
                    for name, remote in remotes.items()
                },
                "busy": await _busy(callers, count) if setup.on_gpu else None,
            }
            found.raw["callers"].append(line)
            print(f"  {line}", flush=True)


@dataclass(frozen=True)
class Callers:
    """Ask the graph for utterances, each caller for its next once it has its answer."""

    pipeline: Pipeline
    utterances: Sequence[Any]

    async def ask(self, callers: int, count: int) -> Recording:
        options = TranslateOptions("pt", source_language="en", embed=True)
        plan = self.pipeline.planner.speech_translation(options)

        async def ask(number: int) -> Answer:
            deadline = asyncio.get_running_loop().time() + ANSWER_S
            audio = Audio(self.utterances[number % len(self.utterances)])
            answer = await self.pipeline.translate_speech(audio, plan, Context(deadline))
            if answer.audio is None or not len(answer.audio.samples):
                raise BenchFailed(f"utterance {number} became no speech")
            return Answer()

        recording = Recording(Load("closed", callers))
        await Stepper(ask, RealClock()).run(recording, Length(requests=count))
        return recording


async def _busy(callers: Callers, count: int) -> float:
    """Return the share of the time in which a kernel ran; at least 8 utterances.

    The profiler, which looks on, costs some; what it has seen takes it longer to read than to see.
    """
    import torch

    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        taken = await callers.ask(count, max(8, count))
        torch.cuda.synchronize()
    return busy_ms(profile) / 1000 / taken.elapsed_s


def one_by_one(loaded: Loaded, utterances: Sequence[Any]) -> None:
    """Call the same models one after the other, an utterance at a time."""
    run: Callable[[str, Any], Any] = lambda name, item: loaded.runtimes[name].run([item])[0]  # noqa: E731
    voice = loaded.descriptions["tts"].spec.voices
    speaks = next(one.id for one in voice if one.language == "pt")
    for samples in utterances:
        run("vad", VadItem(samples))
        text = run("asr", AsrItem(samples, "en")).text
        translation = run("nmt", NmtItem(text, "en", "pt")).text
        run("tts", TtsItem(translation, speaks, language="pt"))
        run("speaker", SpeakerItem(samples))


def policies() -> dict[str, BatchPolicy]:
    """Read the policies of the configuration for a GPU."""
    (application,) = yaml.safe_load(POLICIES.read_text())["applications"]
    (ingress,) = application["deployments"]
    return {name: BatchPolicy(**p) for name, p in ingress["user_config"]["batching"].items()}


def timed(call: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    call()
    return time.perf_counter() - started_s
