"""The models of the GPU profile for a bench: weights of the published sizes, with random values.

    python -m bench.gpu.served_models FOLDER cuda|cpu

Opens the Whisper that it writes to the folder, in a process that may end badly, and warms it up.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from bench.engine_inputs import WHISPER
from bench.gpu.asr import SMALL, START, TURBO
from bench.gpu.measure import Found, Setup
from bench.gpu.nmt import weights_folder
from bench.gpu.speaker import ecapa_folder, opened
from bench.gpu.tts import yourtts_folder
from bench.serving import Config
from models.asr.model import PACKAGE_FOLDER
from models.devices.device import DeviceRequest
from models.weights import source as weights
from tests.support.server import ROOT

PROFILE = ROOT / "deploy" / "serve_config.gpu.yaml"
WHISPER_S = 75.0  # what writing and opening it may take


def profile(setup: Setup, found: Found) -> Config:
    """Read the profile with weights that need no network; leave out what cannot be had."""
    config: Config = yaml.safe_load(PROFILE.read_text())
    models = config["applications"][0]["args"]["models"]
    places = {"nmt": weights_folder, "tts": yourtts_folder, "speaker": ecapa_folder}
    for name, place in places.items():
        models[name]["weights"] = f"path:{place(setup).absolute()}"
    why_not = whisper_refuses(setup)
    if why_not:
        del models["asr"]
        config["applications"][0]["args"]["aliases"].pop("whisper-1")
        config["applications"][0]["deployments"][0]["user_config"]["batching"].pop("asr")
        found.notes.append(f"The server ran without recognition, which did not open: {why_not}")
    else:
        models["asr"]["weights"] = f"path:{setup.weights('whisper').absolute()}"
    models["tts"]["accept_license"] = True  # of random values
    policies = config["applications"][0]["deployments"][0]["user_config"]["batching"]
    bounds = ", ".join(f"{name} {policies[name]['max_batch_size']}" for name in places)
    found.notes.append(
        "The server has the shares and policies of `deploy/serve_config.gpu.yaml`, whose batches "
        f"hold at most so many items: {bounds}. "
        "What it is compared with in-process is not bounded."
    )
    for model in models.values():
        model.pop("sha256", None)
        if not setup.on_gpu and model["device"] == "cuda":
            model["device"] = "auto"
    return config


def whisper_refuses(setup: Setup) -> str:
    """Return why Whisper does not run here, the last line that it said; empty: it does."""
    device = "cuda" if setup.on_gpu else "cpu"
    folder = setup.weights("whisper").absolute()
    command = [sys.executable, "-m", "bench.gpu.served_models", str(folder), device]
    try:
        done = subprocess.run(
            command,
            timeout=WHISPER_S,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it had {WHISPER_S:.0f} s"
    said = done.stdout.strip().splitlines() or ["nothing"]
    print(f"  whisper: {said[-1]}", flush=True)
    return f"exit {done.returncode}: {said[-1]}" if done.returncode else ""


def write_whisper(folder: Path, on_gpu: bool) -> None:
    """Write CTranslate2's files of a Whisper of turbo's size, but for what base lacks."""
    import torch
    from ctranslate2.converters.transformers import WhisperLoader
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    source = weights.resolve(WHISPER)  # for its tokenizer
    words = json.loads(source.file(f"{PACKAGE_FOLDER}vocabulary.json").read_text())
    sizes = (TURBO if on_gpu else SMALL) | {"vocab_size": len(words)}
    config = WhisperConfig(**sizes, pad_token_id=0, decoder_start_token_id=START)
    with torch.device("cuda" if on_gpu else "cpu"):
        model = WhisperForConditionalGeneration(config).half().cpu()
    spec: Any = WhisperLoader().get_model_spec(model)
    spec.register_vocabulary(words)
    spec.validate()
    spec.optimize("float16")
    spec.save(str(folder))
    base = json.loads(source.file(f"{PACKAGE_FOLDER}config.json").read_text())
    last = sizes["decoder_layers"] - 1
    heads = [[last, head] for head in range(sizes["decoder_attention_heads"])]
    (folder / "config.json").write_text(json.dumps(base | {"alignment_heads": heads}))
    (folder / "tokenizer.json").write_bytes(
        source.file(f"{PACKAGE_FOLDER}tokenizer.json").read_bytes()
    )


def main() -> None:
    folder, device = Path(sys.argv[1]), sys.argv[2]
    folder.mkdir(exist_ok=True)
    on_gpu = device == "cuda"
    if not (folder / "tokenizer.json").exists():
        write_whisper(folder, on_gpu)
    request = DeviceRequest("cuda", 1.0, 2) if on_gpu else DeviceRequest("cpu", threads=2)
    opened("whisper", folder, request, {}).close()
    print("it opens and warms up")


if __name__ == "__main__":
    main()
