"""Every name of ``/v2/models``: the configured models, their kinds, and the graph."""

from __future__ import annotations

from collections.abc import Mapping

from deployments.config.names import GRAPH, KIND_NAMES, MODEL_VERSION
from deployments.config.schema import AppConfig
from deployments.graph.pipeline import Pipeline
from deployments.inference.kinds.asr import Asr
from deployments.inference.kinds.base import Served
from deployments.inference.kinds.graph import STEPS, SpeechTranslator
from deployments.inference.kinds.nmt import Nmt
from deployments.inference.kinds.speaker import Speaker
from deployments.inference.kinds.tensors import Tensors
from deployments.inference.kinds.tts import Tts
from deployments.inference.kinds.vad import Vad
from models.errors import UnknownModel
from models.types import Kind

KINDS: tuple[type[Served], ...] = (Vad, Asr, Nmt, Tts, Speaker, Tensors)
SERVED: Mapping[str, type[Served]] = {served.kind: served for served in KINDS}


class Catalogue:
    """Every name of ``/v2/models``: the configured models, their kinds, and the graph."""

    def __init__(self, pipeline: Pipeline, config: AppConfig) -> None:
        names: dict[str, Kind] = {name: model.kind for name, model in config.models.items()}
        kinds = set(names.values())
        names.update((kind, kind) for kind in KIND_NAMES if kind in kinds)
        self._served: dict[str, Served] = {
            name: SERVED[kind](name, pipeline, config) for name, kind in names.items()
        }
        if set(STEPS) <= kinds:
            self._served[GRAPH] = SpeechTranslator(GRAPH, pipeline, config)

    def names(self) -> tuple[str, ...]:
        """List every name."""
        return tuple(self._served)

    def get(self, name: str, version: str | None = None) -> Served:
        """Return what is served under a name.

        Raises:
            UnknownModel: nothing is, or not in that version.
        """
        if name not in self._served:
            message = f"Request for unknown model: '{name[:80]}' is not found"
            raise UnknownModel(message, param="model")
        if version not in (None, "", MODEL_VERSION):
            message = f"Request for unknown model: '{name}' version {version[:20]} is not found"
            raise UnknownModel(message, param="version")
        return self._served[name]
