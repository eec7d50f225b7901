"""Write the command that the ready line offers: one that works from any folder as it is printed."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import ssl
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deployments.config.files import ServeFile
from deployments.doctor.running_server import get_json
from deployments.serve.sample import SAMPLE, SAMPLE_LANGUAGE, SAMPLE_PACKAGE

KEY_VARIABLE = "DRAGOMAN_KEY"
TRUST_VARIABLE = "SSL_CERT_FILE"
NEEDED = {"vad", "asr", "nmt", "tts"}  # the kinds of model that speech goes through


def example(config: ServeFile, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return a command for the server of this configuration, which runs and is ready.

    It translates a clip if the server's models can do that, and if its keys allow it; else it asks
    whether the server is ready. None: there is no command that would work, because the client is
    not installed here, or because the certificate is for other names than the address.
    """
    program = _program()
    if program is None:
        return None
    tls = config.applications[0].args.ingress.tls
    words = [program, "--url", config.url]
    trust = None
    if tls is not None:
        certificate = str(Path(tls.certificate).absolute())
        trust = ssl.create_default_context(cafile=certificate)
        words.insert(0, f"{TRUST_VARIABLE}={shlex.quote(certificate)}")
    try:
        get_json(f"{config.url}/health/ready", trust=trust)
    except (OSError, ValueError):
        return None
    key = environment.get(KEY_VARIABLE)
    if config.applications[0].args.security.keys and key is None:
        return " ".join([*words, "ready"])  # which needs no key
    return " ".join([*words, _work(config.url, key, trust)])


def _program() -> str | None:
    """Return how a shell starts the client's command: by its name if it finds that, or by path."""
    beside = Path(sys.executable).with_name("dragoman")
    if not beside.exists():
        return None
    found = shutil.which("dragoman")
    is_found = found is not None and Path(found).resolve() == beside.resolve()
    return "dragoman" if is_found else shlex.quote(str(beside))


def _work(url: str, key: str | None, trust: ssl.SSLContext | None) -> str:
    clip, target = _clip(), None
    if clip is not None:
        try:
            models = get_json(f"{url}/v1/models", key=key, trust=trust)["data"]
            voices = get_json(f"{url}/v1/audio/voices", key=key, trust=trust)["data"]
            target = spoken_target(models, voices)
        except (OSError, ValueError, KeyError):  # the key does not allow it
            target = None
    if target is None:
        return "ready"
    return f"translate {shlex.quote(str(clip))} --to {target} -o out.wav"


def _clip() -> Path | None:
    """Return the speech that is installed with the load test."""
    spec = importlib.util.find_spec(SAMPLE_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    clip = Path(spec.origin).with_name(SAMPLE)
    return clip if clip.exists() else None


def spoken_target(
    models: Sequence[Mapping[str, Any]], voices: Sequence[Mapping[str, Any]]
) -> str | None:
    """Return a language that the clip can be translated into and spoken in.

    Args:
        models: the rows of ``/v1/models``.
        voices: the rows of ``/v1/audio/voices``.
    """
    if not {model["kind"] for model in models} >= NEEDED:
        return None
    for voice in voices:
        target = str(voice["language"])
        if target != SAMPLE_LANGUAGE and any(_translates(model, target) for model in models):
            return target
    return None


def _translates(model: Mapping[str, Any], target: str) -> bool:
    if model["kind"] != "nmt":
        return False
    both = {SAMPLE_LANGUAGE, target}
    return [SAMPLE_LANGUAGE, target] in model["pairs"] or both <= set(model["languages"])
