"""The shipped models over gRPC, by NVIDIA's client: whole, in parts, and live."""

from __future__ import annotations

from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest
from tritonclient import grpc as triton

from models.types import SAMPLE_RATE_HZ
from tests.support.server import Running
from tests.support.speech import clips
from tests.support.triton_grpc import audio, parameters_of, texts, words

WITHIN_S = 120.0
GRAPH = "speech_translation"


def test_every_model_answers(server: Running) -> None:
    clip = next(each for each in clips("en") if each.duration_s < 6).samples()
    to_pt = texts(SOURCE_LANGUAGE="en", TARGET_LANGUAGE="pt")
    with triton.InferenceServerClient(server.grpc_address) as client:
        assert client.is_server_ready()
        heard = client.infer("asr", audio(clip))
        spans = client.infer("vad", audio(clip)).as_numpy("SPAN_COUNT")
        voice = client.infer("speaker", audio(clip)).as_numpy("EMBEDDING")
        said = words(client.infer("nmt", [*texts(TEXT="Good morning."), *to_pt]), "TRANSLATION")
        spoken = client.infer("tts", texts(TEXT=said, LANGUAGE="pt")).as_numpy("AUDIO")
        whole = client.infer(GRAPH, [*audio(clip), *texts(TARGET_LANGUAGE="pt")])
        done = client.get_inference_statistics("asr").model_stats[0]
    assert words(heard, "LANGUAGE") == "en"
    assert spans.item() > 0
    assert np.linalg.norm(voice) == pytest.approx(1.0, abs=1e-3)
    assert said.startswith("Bom dia")
    assert spoken.shape[1] > SAMPLE_RATE_HZ / 4
    assert words(whole, "TRANSLATION")
    assert done.inference_stats.success.count > 0


def test_speech_is_translated_while_it_is_spoken(server: Running) -> None:
    clip = max(clips("en"), key=lambda each: min(each.duration_s, 8)).samples()
    silence = np.zeros(2 * SAMPLE_RATE_HZ, clip.dtype)
    pieces = np.array_split(np.concatenate([clip[: 8 * SAMPLE_RATE_HZ], silence]), 20)
    found: SimpleQueue[Any] = SimpleQueue()
    with triton.InferenceServerClient(server.grpc_address) as client:
        client.start_stream(lambda result, error: found.put(error or result))
        for number, piece in enumerate(pieces):
            first, last = number == 0, number == len(pieces) - 1
            own = texts(TARGET_LANGUAGE="pt") if first else []
            inputs = [*audio(piece), *own]
            client.async_stream_infer(
                GRAPH, inputs, sequence_id=1, sequence_start=first, sequence_end=last
            )
        answers = [found.get(timeout=WITHIN_S)]
        while not parameters_of(answers[-1])["triton_final_response"]:
            answers.append(found.get(timeout=WITHIN_S))
    kinds = {parameters_of(each)["event"] for each in answers}
    assert {"transcript", "translation", "speech", "closed"} <= kinds
