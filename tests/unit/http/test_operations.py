"""What an operator asks: metrics that Prometheus can read, and the diagnosis over HTTP."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families
from starlette.routing import Router

from deployments.batching.statistics import Figures, ModelStatistics, Stages
from deployments.catalogue.placements import Description
from deployments.catalogue.selection import Fleet
from deployments.config.policy import BatchPolicy
from deployments.doctor import probe as machine_facts
from deployments.doctor.probe import Machine
from deployments.http import operations
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from deployments.http.operations import KEPT_S, MachineFacts, OperationsRoutes
from deployments.telemetry.cluster_figures import ClusterFigures
from deployments.telemetry.metrics import MEDIA_TYPE, OPENMETRICS, exposition
from deployments.telemetry.model_report import ReplicaStats
from models.devices.nvidia import Gpu
from models.errors import Unavailable
from tests.support.asgi import SPEECH
from tests.support.bad_input import EMBED, SPEAK, TEXT, TRANSCRIBE, TRANSLATE, form
from tests.support.local import (
    LocalRemote,
    fake_config,
    fake_fleet,
    fake_remotes,
    until_queued,
)
from tests.unit.doctor.test_diagnosis import GOOD, NO_GPU, report

TEXTS = {"text": ["One.", "Two."], "source_language": "en", "target_language": "pt"}


def connect(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


def samples(text: str) -> dict[tuple[str, str], float]:
    """(name, model) -> value; one replica and one ingress each."""
    return {
        (sample.name, sample.labels.get("model", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


# ---- metrics ---------------------------------------------------------------------------


async def test_the_whole_application_has_metrics_that_prometheus_reads() -> None:
    config = fake_config()
    async with connect(asgi_app(await fake_fleet(config), config, Admission(8))) as http:
        await http.post("/v1/text/translations", json=TEXTS)
        answer = await http.get("/metrics")
    figures = samples(answer.text)
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert figures["dragoman_model_items_total", "nmt"] == 2
    assert figures["dragoman_model_ready", "asr"] == 1
    assert figures["model_on_gpu", "asr"] == 0


ON: dict[str, Any] = {"actual": "cuda"}
PLACES: dict[str, tuple[list[dict[str, Any]], float]] = {
    "all on it": ([ON, ON], 1.0),
    "one fell back": ([ON, {"actual": "cpu"}], 0.0),
}


@pytest.mark.parametrize(("devices", "value"), PLACES.values(), ids=PLACES)
def test_a_model_is_on_the_gpu_if_all_of_its_replicas_are(
    devices: list[dict[str, Any]], value: float
) -> None:
    replicas = [replica for device in devices for replica in report(**device).replicas]
    text = exposition([replace(report(), replicas=tuple(replicas))], {}).decode()
    assert samples(text)["model_on_gpu", "asr"] == value


def worked() -> ModelStatistics:
    """Two requests of three rows in one batch, and one that was refused."""
    done = ModelStatistics(refused=7, expired_in_queue=2)
    stages = Stages(queue_s=0.5, input_s=0.001, infer_s=0.25, output_s=0.002)
    done.executed(3, 3, stages, cost=30.0, useful=24.0)
    done.succeeded(0.75, stages)
    done.succeeded(2.0, stages)
    done.failed(0.1, "REJECTED")
    return done


EXPECTED = {  # the parser writes `_total` behind the name of every counter
    "nv_inference_request_success_total": 2,
    "nv_inference_count_total": 3,
    "nv_inference_exec_count_total": 1,
    "nv_inference_request_duration_us_total": 2_750_000,
    "nv_inference_queue_duration_us_total": 1_000_000,
    "nv_inference_compute_input_duration_us_total": 2000,
    "nv_inference_compute_infer_duration_us_total": 500_000,
    "nv_inference_compute_output_duration_us_total": 4000,
    "nv_inference_pending_request_count": 3,
    "dragoman_batch_cost_total": 30,
    "dragoman_batch_padding_cost_total": 6,
    "dragoman_request_duration_seconds_count": 2,
    "dragoman_request_duration_seconds_sum": 2.75,
    "dragoman_queue_seconds_sum": 1.0,
    "dragoman_batch_size_count": 1,
    "dragoman_batch_size_sum": 3,
    "dragoman_model_memory_bytes": 1e9,
    "dragoman_model_load_seconds": 3.2,
    "dragoman_model_warm_up_seconds": 1.5,
    "dragoman_model_items_total": 30,
    "dragoman_model_batches_total": 10,
    "dragoman_model_item_errors_total": 0,
    "dragoman_model_failed_batches_total": 0,
    "dragoman_model_busy_seconds_total": 1.0,
    "dragoman_model_out_of_memory_total": 2,
    "dragoman_model_memory_bound": 16.0,
    "dragoman_queue_items": 4,
    "dragoman_batches_in_flight": 1,
    "dragoman_queue_refused_total": 7,
    "dragoman_queue_expired_total": 2,
}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_figure_has_its_unit(name: str) -> None:
    figures = {"asr": Figures(worked(), waiting=4, pending=3, in_flight=1)}
    counts = {"out_of_memory": 2, "memory_bound": 16.0}
    text = exposition([report(counts=counts)], figures).decode()
    assert samples(text)[name, "asr"] == EXPECTED[name]


def families(text: str) -> dict[str, Any]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_triton_s_counters_are_counters_of_triton_s_names() -> None:
    text = exposition([], {"asr": Figures(worked())}).decode()
    found = {name: f.type for name, f in families(text).items() if name.startswith("nv_")}
    gauges = {name for name, kind in found.items() if kind != "counter"}
    assert (len(found), gauges) == (12, {"nv_inference_pending_request_count"})
    assert not re.search(r"^(# TYPE )?nv_\w+_total\b", text, re.MULTILINE)


ACCEPTS = {
    "nothing": (None, MEDIA_TYPE),
    "anything": ("*/*", MEDIA_TYPE),
    "Prometheus": (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        OPENMETRICS,
    ),
    "text rather": ("application/openmetrics-text;q=0.2, text/plain;q=0.9", MEDIA_TYPE),
    "OpenMetrics rather": ("text/plain;q=0.2, application/openmetrics-text", OPENMETRICS),
    "anything but OpenMetrics": ("application/openmetrics-text;q=0, */*", MEDIA_TYPE),
    "anything but text": ("text/plain;q=0, */*;q=0.1", OPENMETRICS),
    "anything, but rather OpenMetrics": ("*/*;q=0.5, application/*", OPENMETRICS),
    "a weight out of range": ("application/openmetrics-text;q=7, text/plain;q=0.1", MEDIA_TYPE),
    "capitals": ("Application/OpenMetrics-Text; Q=1", OPENMETRICS),
    "a browser": ("text/html,application/xhtml+xml,*/*;q=0.8", MEDIA_TYPE),
    "no number": ("application/openmetrics-text;q=much", MEDIA_TYPE),
    "nonsense": (";;,=,", MEDIA_TYPE),
}


@pytest.mark.parametrize(("accept", "media_type"), ACCEPTS.values(), ids=ACCEPTS)
async def test_metrics_come_as_they_are_asked_for(accept: str | None, media_type: str) -> None:
    config = fake_config()
    async with connect(asgi_app(await fake_fleet(config), config, Admission(8))) as http:
        del http.headers["accept"]
        answer = await http.get("/metrics", headers={"accept": accept} if accept else {})
    assert answer.headers["content-type"] == media_type
    assert answer.text.endswith("# EOF\n") == (media_type == OPENMETRICS)


def test_both_formats_say_the_same() -> None:
    figures = {"asr": Figures(worked(), waiting=5, pending=3, in_flight=1)}
    reports = [report(**ON)]
    plain = exposition(reports, figures).decode()
    strict = exposition(reports, figures, media_type=OPENMETRICS).decode()
    told = flat(openmetrics_families(strict))  # type: ignore[no-untyped-call]
    known = flat(text_string_to_metric_families(plain))
    assert {name.removesuffix("_total") for name, _ in told} == {
        name.removesuffix("_total") for name, _ in known
    }
    labels = (("model", "asr"), ("version", "1"))
    assert told["nv_inference_request_success", labels] == 2  # Triton's name, as it is
    assert told["dragoman_batch_cost_total", labels] == 30


def flat(families: Iterable[Any]) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """(name, labels) -> value."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


# ---- requests that no model saw ------------------------------------------------------------

GOOD_FILE = {"file": ("a.wav", SPEECH)}
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {  # path, request, model
    "bad JSON for a text": (TEXT, {"content": b"{"}, "nmt"),
    "an unknown language of a text": (
        TEXT,
        {"json": {**TEXTS, "source_language": "xx"}},
        "nmt",
    ),
    "a pair of nobody's": (TEXT, {"json": {**TEXTS, "target_language": "en"}}, "nmt"),
    "no form": (TRANSCRIBE, {"json": {}}, "asr"),
    "a broken form": (
        TRANSCRIBE,
        {"content": b"--x\r\nx", "headers": {"content-type": "multipart/form-data"}},
        "asr",
    ),
    "an unknown model": (TRANSCRIBE, {"files": GOOD_FILE, "data": {"model": "any"}}, "asr"),
    "no audio": (TRANSCRIBE, {"files": {"file": ("a.wav", b"no audio" * 99)}}, "asr"),
    "an unknown voice": (SPEAK, {"json": {"input": "Hi.", "voice": "any"}}, "tts"),
    "nothing to speak": (SPEAK, {"json": {"input": "...", "voice": "fake-en"}}, "tts"),
    "an unknown target": (TRANSLATE, form(SPEECH, target_language="xx"), "speech_translation"),
    "a misspelt field": (TRANSLATE, form(SPEECH, langage="pt"), "speech_translation"),
    "a pair that is heard": (TRANSLATE, form(SPEECH, target_language="en"), "speech_translation"),
    "a clip of nothing": (EMBED, {"files": {"file": ("a.wav", b"")}}, "speaker"),
    "samples without a rate": (
        EMBED,
        {"content": bytes(320), "headers": {"content-type": "audio/pcm"}},
        "speaker",
    ),
    "bad JSON for a tensor": ("/v2/models/asr/infer", {"content": b"{"}, "asr"),
    "no such input": ("/v2/models/nmt/infer", {"json": {"inputs": []}}, "nmt"),
    "bad JSON for the graph": (
        "/v2/models/speech_translation/infer",
        {"content": b"{"},
        "speech_translation",
    ),
}


def failures(text: str) -> dict[tuple[str, str], float]:
    """(model, reason) -> requests that failed, where there are any."""
    return {
        (sample.labels["model"], sample.labels["reason"]): sample.value
        for sample in families(text)["nv_inference_request_failure"].samples
        if sample.value
    }


@pytest.mark.parametrize(("path", "request_", "model"), REFUSED.values(), ids=REFUSED)
async def test_a_refused_request_counts_for_the_model_it_meant(
    path: str, request_: dict[str, Any], model: str
) -> None:
    config = fake_config()
    async with connect(asgi_app(await fake_fleet(config), config, Admission(8))) as http:
        refused = await http.post(path, **request_)
        text = (await http.get("/metrics")).text
    assert 400 <= refused.status_code < 500
    assert failures(text) == {(model, "OTHER"): 1}


async def test_what_a_queue_has_counted_is_not_counted_again() -> None:
    config, answering = fake_config(), asyncio.Event()
    remotes = fake_remotes(config)
    remotes["nmt"].hold_all(answering)
    fleet = await fake_fleet(config, remotes, nmt=BatchPolicy(max_queue_size=1, max_batch_size=1))
    async with connect(asgi_app(fleet, config, Admission(8))) as http:
        others = [asyncio.create_task(http.post(TEXT, json=TEXTS)) for _ in range(3)]
        await until_queued(fleet.pick("nmt").batcher)
        refused = await http.post(TEXT, json=TEXTS)
        answering.set()
        await asyncio.gather(*others)
        text = (await http.get("/metrics")).text
    assert refused.status_code == 503
    counted = failures(text)
    assert {reason for _, reason in counted} <= {"REJECTED", "CANCELED"}
    assert counted["nmt", "REJECTED"] == samples(text)["dragoman_queue_refused_total", "nmt"]


async def test_what_a_caller_writes_makes_no_label() -> None:
    config = fake_config()
    async with connect(asgi_app(await fake_fleet(config), config, Admission(8))) as http:
        for name in ('"}', "gpt-9", "\n"):
            await http.post(TRANSCRIBE, files=GOOD_FILE, data={"model": name})
            await http.post(SPEAK, json={"input": "Hi.", "voice": name, "model": name})
            await http.post(f"/v2/models/{quote(name)}/infer", content=b"{")
        text = (await http.get("/metrics")).text
    assert failures(text) == {("asr", "OTHER"): 3, ("tts", "OTHER"): 3}


def test_a_failure_has_its_reason() -> None:
    text = exposition([], {"asr": Figures(worked())}).decode()
    samples_ = families(text)["nv_inference_request_failure"].samples
    reasons = {sample.labels["reason"]: sample.value for sample in samples_}
    assert reasons == {"REJECTED": 1, "CANCELED": 0, "BACKEND": 0, "OTHER": 0}


def test_buckets_are_cumulative() -> None:
    text = exposition([], {"asr": Figures(worked())}).decode()
    samples_ = families(text)["dragoman_request_duration_seconds"].samples
    buckets = {s.labels["le"]: s.value for s in samples_ if s.name.endswith("_bucket")}
    assert [buckets[le] for le in ("0.5", "1.0", "2.5", "+Inf")] == [0, 1, 2, 2]


def test_each_gpu_has_its_gauges() -> None:
    gpu = Gpu(0, "GPU-1", "H200", 100, 40, 75, "550")
    found = families(exposition([], {}, [gpu]).decode())
    values = {name: found[name].samples[0].value for name in found if name.startswith("nv_gpu")}
    assert values == {
        "nv_gpu_utilization": 0.75,
        "nv_gpu_memory_total_bytes": 100,
        "nv_gpu_memory_used_bytes": 40,
    }


def test_the_reason_of_a_device_is_a_label_whatever_it_says() -> None:
    text = exposition([report(reason='a "b"\nc\\d')], {}).decode()
    (info,) = [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "dragoman_model_device_info"
    ]
    assert info.labels["reason"] == 'a "b"\nc\\d'


class Deaf(LocalRemote):
    """A remote whose replicas were there once and answer no more."""

    is_gone = False

    async def stats(self) -> Sequence[ReplicaStats]:
        if self.is_gone:
            raise Unavailable("no replica answers")
        return await super().stats()


async def fleet_with_one_gone() -> Fleet:
    config = fake_config()
    remotes = fake_remotes(config)
    remotes["nmt"] = deaf = Deaf("nmt", config.models["nmt"])
    fleet = await fake_fleet(config, remotes)
    deaf.is_gone = True
    return fleet


async def test_a_model_that_does_not_answer_leaves_the_others_their_metrics() -> None:
    async with connect(asgi_app(await fleet_with_one_gone(), fake_config(), Admission(8))) as http:
        figures = samples((await http.get("/metrics")).text)
    assert ("dragoman_model_items_total", "nmt") not in figures
    assert ("dragoman_model_items_total", "asr") in figures


class Busy(LocalRemote):
    """A remote whose replicas' places may all be taken."""

    is_busy = False

    async def stats(self) -> Sequence[ReplicaStats]:
        if self.is_busy:
            await asyncio.Event().wait()
        return await super().stats()


async def test_a_busy_model_keeps_the_figures_that_it_had(monkeypatch: pytest.MonkeyPatch) -> None:
    config = fake_config()
    remotes = fake_remotes(config)
    remotes["nmt"] = busy = Busy("nmt", config.models["nmt"])
    fleet = await fake_fleet(config, remotes)
    async with connect(asgi_app(fleet, config, Admission(8))) as http:
        await http.post("/v1/text/translations", json=TEXTS)
        before = samples((await http.get("/metrics")).text)
        busy.is_busy = True
        monkeypatch.setattr(operations, "ROW_S", 0.0)
        while_busy = samples((await http.get("/metrics")).text)
    name = ("dragoman_model_items_total", "nmt")
    assert while_busy[name] == before[name] == 2


async def test_a_model_that_is_loading_is_not_ready_in_the_metrics() -> None:
    config = fake_config()
    remotes = fake_remotes(config)
    remotes["tts"].is_loading = True
    async with connect(asgi_app(Fleet(config, remotes), config, Admission(8))) as http:
        figures = samples((await http.get("/metrics")).text)
    assert figures["dragoman_model_ready", "tts"] == 0


# ---- the listing -----------------------------------------------------------------------


class Two(LocalRemote):
    """Two replicas; a third one answers only the second question."""

    async def describe(self) -> Sequence[Description]:
        (one,) = await super().describe()
        return [Description(one.spec, one.device, 1.5, name) for name in ("a", "b")]

    async def stats(self) -> Sequence[ReplicaStats]:
        return [ReplicaStats(items=n, replica=name) for n, name in enumerate("cba")]


async def test_each_replica_is_listed_with_its_own_figures() -> None:
    config = fake_config()
    remotes = fake_remotes(config)
    remotes["nmt"] = Two("nmt", config.models["nmt"])
    fleet = await fake_fleet(config, remotes)
    async with connect(asgi_app(fleet, config, Admission(8))) as http:
        reports = (await http.get("/v1/models/nmt")).json()["replica_reports"]
    told = [(r["replica"], r["warm_up_s"], r["statistics"]["items"]) for r in reports]
    assert told == [("a", 1.5, 2), ("b", 1.5, 1)]
    assert reports[0]["statistics"]["first_batch_s"] is None


async def test_languages_that_a_voice_can_be_cloned_in_are_listed() -> None:
    config = fake_config()
    async with connect(asgi_app(await fake_fleet(config), config, Admission(8))) as http:
        listed = (await http.get("/v1/models/tts")).json()
    assert isinstance(listed["cloning_languages"], list)


# ---- the diagnosis ---------------------------------------------------------------------


class Look:
    """Stands for the process that looks at the machine; waits for its gate."""

    def __init__(self, answer: Machine | Exception = NO_GPU) -> None:
        self.answer, self.count, self.gate = answer, 0, asyncio.Event()

    async def __call__(self) -> Machine:
        self.count += 1
        await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def look() -> Look:
    look = Look()
    look.gate.set()
    return look


@pytest.fixture
async def http(look: Look) -> AsyncIterator[httpx.AsyncClient]:
    config = fake_config()
    fleet = await fake_fleet(config)
    cluster_figures = ClusterFigures("1", fleet.figures)
    routes = OperationsRoutes(fleet, config.models, cluster_figures, MachineFacts(look))
    async with connect(Router(routes.routes())) as client:
        yield client


async def test_the_diagnosis_has_the_machine_the_settings_and_the_models(
    http: httpx.AsyncClient,
) -> None:
    body = (await http.get("/v1/doctor")).json()
    found = {finding["check"] for finding in body["findings"]}
    assert {"driver", "torch", "settings", "model asr", "model asr times"} <= found
    assert body["verdict"].startswith("no GPU here: every model runs on the CPU")


async def test_processes_of_others_have_no_name_over_http(
    http: httpx.AsyncClient, look: Look
) -> None:
    look.answer = GOOD
    findings = (await http.get("/v1/doctor")).json()["findings"]
    (gpu,) = [finding["found"] for finding in findings if finding["check"] == "gpu 0"]
    assert gpu.endswith("processes: 2.0 GB")


FAILURES = {
    "too long": OSError("it took more than 60 s"),
    "unreadable": ValueError("not JSON"),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_a_machine_that_cannot_be_looked_at_is_a_finding(
    http: httpx.AsyncClient, look: Look, failure: Exception
) -> None:
    look.answer = failure
    answer = await http.get("/v1/doctor")
    (finding,) = answer.json()["findings"]
    assert (answer.status_code, finding["status"]) == (200, "failed")
    assert str(failure) in finding["found"]


async def test_who_asks_at_once_shares_one_look(look: Look) -> None:
    facts = MachineFacts(look)
    await asyncio.gather(*(facts.get() for _ in range(5)))
    assert look.count == 1


async def test_one_who_leaves_does_not_stop_the_look_for_the_others() -> None:
    look = Look()
    facts = MachineFacts(look)
    leaving, staying = asyncio.create_task(facts.get()), asyncio.create_task(facts.get())
    await asyncio.sleep(0)
    leaving.cancel()
    look.gate.set()
    assert await staying == NO_GPU


@pytest.mark.parametrize(("later_s", "looks"), [(KEPT_S - 1, 1), (KEPT_S, 2)], ids=["kept", "old"])
async def test_a_look_serves_for_a_while(look: Look, later_s: float, looks: int) -> None:
    now = [100.0]
    facts = MachineFacts(look, lambda: now[0])
    await facts.get()
    now[0] += later_s
    await facts.get()
    assert look.count == looks


@pytest.mark.process
async def test_the_machine_is_looked_at_in_a_process_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine_facts, "FACTS_S", 500.0)  # libraries may come from a slow disk
    assert (await operations.look_at_machine()).hostname == os.uname().nodename


@pytest.mark.process
async def test_a_look_that_fails_says_where_to_read_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(OSError, match="ended with 1"):
        await operations.look_at_machine()


@pytest.mark.process
async def test_a_look_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_facts, "FACTS_S", 0.0)
    with pytest.raises(OSError, match="it took more than"):
        await operations.look_at_machine()
