"""Translation engines that are measured on small files: CTranslate2's families, and a service."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from bench.bare import answers, loaded
from bench.comparing import compared
from bench.engine_inputs import SENTENCES
from bench.results import Table
from bench.turns import Way, cut
from models.devices.device import DeviceRequest
from models.nmt.ctranslate2.engine import CTranslate2Translator, Options
from models.runtime import RuntimeSettings
from models.types import NmtItem
from tests.support.chat_service import Call, Reply, chat_service, said
from tests.support.published.ctranslate2 import PUBLISHED, build

BATCHES = (1, 8, 32)
TOKENS = 20  # of each translation
TARGETS = {"nllb": "pt", "opus-mt": "de", "madlad": "pt"}
SERVICE_S = 0.05  # that the service takes for a text
KEY = "none"


def ctranslate2(args: argparse.Namespace, stack: ExitStack) -> list[Table]:
    """Translate with each family beside CTranslate2, called for one text after the other."""
    tables = []
    for family in PUBLISHED:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _, folder = build(place, family, "int8")
        runtime = loaded(stack, "ctranslate2-translator", f"path:{folder}", args.threads)
        items = sentences(max(BATCHES), TARGETS[family], max_tokens=TOKENS)
        ways = [Way("ctranslate2, one by one", library(folder, args.threads), cut(items, 1))]
        ways += [Way("dragoman", partial(answers, runtime), cut(items, size)) for size in BATCHES]
        title = f"{family}, a small model of random values, int8, {TOKENS} tokens"
        tables.append(compared(title, ways, args.rounds))
    return tables


def library(folder: Path, threads: int) -> Callable[[Sequence[NmtItem]], list[str]]:
    """Return what translates one text as CTranslate2's documentation does."""
    import ctranslate2 as library

    settings = RuntimeSettings("tokens", f"path:{folder}", DeviceRequest("cpu", threads=1))
    engine = CTranslate2Translator(settings, Options())
    engine.load()
    family = engine._family
    assert family is not None
    model = library.Translator(str(folder), compute_type="int8", intra_threads=threads)

    def translate(batch: Sequence[NmtItem]) -> list[str]:
        tokens = family.tokens(batch[0])
        (found,) = model.translate_batch(
            [tokens.source],
            target_prefix=[tokens.prefix] if tokens.prefix else None,
            beam_size=1,
            max_decoding_length=TOKENS + len(tokens.prefix),
        )
        return [family.text(found.hypotheses[0][len(tokens.prefix) :])]

    return translate


def openai_chat(args: argparse.Namespace, stack: ExitStack) -> list[Table]:
    """Ask a service on this machine beside OpenAI's own client, for one text after the other."""
    from openai import OpenAI

    def answer(call: Call) -> Reply:
        time.sleep(SERVICE_S)
        return said(call.text)

    service = stack.enter_context(chat_service(answer))
    options = {"url": service.url, "model": "some-model", "concurrency": max(BATCHES)}
    runtime = loaded(stack, "openai-chat", "none", args.threads, **options)
    client = stack.enter_context(OpenAI(base_url=service.url, api_key=KEY))

    def reference(batch: Sequence[NmtItem]) -> list[Any]:
        asked = [{"role": "user", "content": f"<text>\n{batch[0].text}\n</text>"}]
        found = client.chat.completions.create(model="some-model", messages=asked)  # type: ignore[arg-type]
        return [found.choices[0].message.content]

    items = sentences(max(BATCHES), "pt")
    ways = [Way("openai's client, one by one", reference, cut(items, 1))]
    ways += [Way("dragoman", partial(answers, runtime), cut(items, size)) for size in BATCHES]
    title = f"openai-chat, a service on this machine that only waits {1000 * SERVICE_S:.0f} ms"
    return [compared(title, ways, args.rounds)]


def sentences(count: int, target: str, max_tokens: int | None = None) -> list[NmtItem]:
    """Make items of the bench's sentences, from English."""
    item = NmtItem("", "en", target, max_tokens=max_tokens)
    return [replace(item, text=text) for text in islice(cycle(SENTENCES), count)]
