"""Translation by a language model behind an OpenAI-compatible service, several calls at once."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from models.devices.device import DeviceReport, choose, report
from models.errors import ConfigError, DragomanError, InvalidRequest, TooLarge, UnsupportedPair
from models.nmt.openai_chat.options import Options
from models.runtime import Engine, ItemError, RuntimeSettings, RuntimeSpec
from models.types import NmtItem, Translation

if TYPE_CHECKING:
    from models.nmt.openai_chat.loop import LoopThread
    from models.nmt.openai_chat.service import Service
    from models.text.detection import LanguageDetector

COMPUTES = "another service computes"
_logger = logging.getLogger("dragoman")


class OpenAiChat:
    """Translator that sends texts to a service (``POST /chat/completions``).

    It asks for each text by itself, and for all texts of a batch at once. The service's answer is
    checked: one that is no translation is an error, and what is doubtful has warnings.
    """

    engine = Engine(
        "nmt",
        Options,
        needs_weights=False,
        small=True,
        file_options=("url", "model", "key_variable", "allow_http"),
    )

    def __init__(self, settings: RuntimeSettings, options: Options) -> None:
        self._settings, self._options = settings, options
        self._loop: LoopThread | None = None
        self._service: Service | None = None
        self._detector: LanguageDetector | None = None

    def load(self) -> tuple[RuntimeSpec, DeviceReport]:
        """Prepare the calls; none is made yet.

        Raises:
            ConfigError: the environment has no key, or one that cannot be sent.
            DeviceError: ``cuda`` was asked for by name.
            WeightsError: the model that tells languages is not installed.
        """
        import aiohttp

        from models.nmt.openai_chat.loop import LoopThread
        from models.text.detection import LanguageDetector

        started_s = time.monotonic()
        settings, options = self._settings, self._options
        key = key_in_environment(options.key_variable)
        device = choose(settings.device, cuda_available=False, missing=COMPUTES)
        self._detector = LanguageDetector()
        self._loop = LoopThread(f"{settings.name}-calls")
        self._service = self._loop.run(_open(options, key))
        _logger.warning(
            "model %r sends the texts of its callers to %s", settings.name, options.host
        )
        spec = RuntimeSpec(
            kind="nmt",
            engine="openai-chat",
            weights=options.model,
            licence=options.licence,
            languages=options.languages,
            takes_terms=True,
            max_batch_size=options.concurrency,
            sends_to=options.host,
            max_run_s=options.timeout_s,
        )
        return spec, report(
            settings.device,
            replace(device, reason=COMPUTES),
            library=f"aiohttp {aiohttp.__version__}",
            precision="of the service",
            load_s=time.monotonic() - started_s,
        )

    def warm_up(self) -> None:
        """Do nothing: the service is warm, or is not ours to warm."""

    def run(self, batch: Sequence[NmtItem]) -> list[Translation | ItemError]:
        """Translate each item, within ``timeout_s`` all together.

        In place of an item there is an ``ItemError`` with

        - ``UnsupportedPair``, ``InvalidRequest``, ``TooLarge``: it cannot be asked for;
        - ``Unavailable``: the service was busy, too slow, could not be reached or failed, or its
          answer is empty or malformed;
        - ``Unprocessable``: the service refused the text, or its answer is far too long.
        """
        assert self._loop is not None, "load() first"
        results = self._loop.run(self._all(batch))
        failed = [result.error for result in results if isinstance(result, ItemError)]
        if failed:
            what = (self._settings.name, len(failed), len(batch), failed[0])
            _logger.warning("model %r: %d of %d texts were not translated: %s", *what)
        return results

    def close(self) -> None:
        if self._loop is not None and self._service is not None:
            self._loop.run(self._service.close())
            self._loop.close()
        self._loop = self._service = self._detector = None

    async def _all(self, batch: Sequence[NmtItem]) -> list[Translation | ItemError]:
        until = asyncio.get_running_loop().time() + self._options.timeout_s
        return await asyncio.gather(*(self._one(item, until) for item in batch))

    async def _one(self, item: NmtItem, until: float) -> Translation | ItemError:
        from models.nmt.openai_chat.answer import text_in, translation_of
        from models.nmt.openai_chat.prompt import body_of

        assert self._service is not None, "load() first"
        assert self._detector is not None, "load() first"
        try:
            self._check(item)
            if not any(map(str.isalpha, item.text)):  # nothing to translate
                return Translation(item.text.strip(), item.source_language, item.target_language)
            answer = await self._service.ask(body_of(item, self._options), until)
            text = text_in(answer, item, self._options)
        except DragomanError as error:
            return ItemError(error)
        return translation_of(item, text, self._detector)

    def _check(self, item: NmtItem) -> None:
        source, target = item.source_language, item.target_language
        languages = self._options.languages
        if source not in languages or target not in languages or source == target:
            known = " ".join(languages)
            raise UnsupportedPair(
                f"{self._settings.name} does not translate {source} to {target}; "
                f"it translates between any two of {known}",
                param="target_language",
            )
        if item.beam_size != 1:
            raise InvalidRequest("beam_size: this model has none; 1 is taken", param="beam_size")
        if item.length_penalty != 1.0:
            what = "length_penalty: this model has none; 1 is taken"
            raise InvalidRequest(what, param="length_penalty")
        if item.max_tokens is not None and item.max_tokens < 1:
            raise InvalidRequest("max_tokens: at least 1", param="max_tokens")
        if item.before or item.before_translated:
            raise InvalidRequest("before: this model translates from the start", param="before")
        if any("\ud800" <= character <= "\udfff" for character in item.text):
            raise InvalidRequest("text: half of a surrogate pair", param="text")
        if len(item.text) > self._options.max_source_chars:
            most = self._options.max_source_chars
            raise TooLarge(
                f"text: {len(item.text)} characters; at most {most} are translated at once",
                param="text",
            )


async def _open(options: Options, key: str | None) -> Service:
    from models.nmt.openai_chat.service import Service

    return Service(options, key)


def key_in_environment(variable: str | None) -> str | None:
    """Return the service's key; None: none is configured.

    Raises:
        ConfigError: the variable is not set, or holds what no header can. The key is not told.
    """
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigError(f"options.key_variable: the environment has no {variable}")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise ConfigError(f"options.key_variable: {variable} holds signs that no key has")
    return key
