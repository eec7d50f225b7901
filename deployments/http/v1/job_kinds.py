"""The kinds of jobs, and who runs them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol, TypeAlias

from deployments.catalogue.selection import Fleet
from deployments.config.schema import AppConfig
from deployments.graph.codecs import Codecs
from deployments.graph.pipeline import Pipeline
from deployments.http.glossary_fields import Glossaries
from deployments.http.own_voices import OwnVoices
from deployments.http.parsing import Fields
from deployments.http.v1.job_parts import Parts
from deployments.http.v1.job_transcriptions import TranscriptionWork
from deployments.http.v1.job_translations import TranslationWork
from deployments.http.v1.transcriptions import TranscriptionFields
from deployments.http.v1.translations import SpeechTranslationFields
from deployments.jobs.runner import Runner
from deployments.jobs.work import Sleep, Work
from deployments.library.jobs import Jobs
from deployments.library.store import Store
from deployments.security.keys import KnownKeys
from deployments.security.scopes import INFER
from deployments.telemetry.usage import Account

FIELDS: Mapping[str, type[Fields]] = {
    "translation": SpeechTranslationFields,
    "transcription": TranscriptionFields,
}
DEFAULT = "translation"


class CheckedWork(Work, Protocol):
    """Work that can be looked at before it begins."""

    async def check(self) -> None:
        """Refuse what its endpoint would refuse. Raises DragomanError."""


# Makes work of the values of a form, for its owner. Raises InvalidRequest.
FromValues: TypeAlias = Callable[[Mapping[str, Any], str], CheckedWork]


def kinds(pipeline: Pipeline, config: AppConfig, store: Store | None) -> Mapping[str, FromValues]:
    """Return what makes the work of each kind."""
    parts = Parts(
        pipeline, config.limits, OwnVoices(store, config.library.voice_days), Glossaries(store)
    )
    return {
        "translation": partial(TranslationWork, parts=parts),
        "transcription": partial(TranscriptionWork, parts=parts),
    }


def runner_of(
    fleet: Fleet,
    config: AppConfig,
    store: Store | None,
    known_keys: KnownKeys,
    sleep: Sleep = asyncio.sleep,
) -> Runner | None:
    """Return who runs the jobs of a store; None: there is none.

    It has one thread of its own to decode, so that it takes no turn from a request. ``sleep`` waits
    before a further try.
    """
    if store is None:
        return None
    pipeline = Pipeline(fleet, config, Codecs(1))

    def kept(make: FromValues) -> Callable[[bytes, str], Work]:
        return lambda fields, owner: make(json.loads(fields), owner)

    def account_of(owner: str) -> Account | None:
        caller = known_keys.named(owner)
        return caller if caller is not None and caller.scopes & INFER else None

    makers = {kind: kept(make) for kind, make in kinds(pipeline, config, store).items()}
    return Runner(Jobs(store, config.library.jobs), pipeline, makers, account_of, sleep)
