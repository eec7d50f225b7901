"""Names in the configuration: what models, aliases and voices may be called."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Annotated, get_args

from pydantic import Field

from models.text.languages import language_code
from models.types import SOURCE_VOICE, Kind

APPLICATION = "dragoman"  # the name of the application that answers over HTTP
INGRESS = "Ingress"  # the name of the ingress deployment
CONTROL = "ModelControl"  # and of the one that loads and unloads the models
# What any model of a kind answers to. Models of named tensors have nothing in common.
KIND_NAMES: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind != "tensors")
MODEL_VERSION = "1"  # of every model, in Triton's terms
GRAPH = "speech_translation"  # the name of the whole graph, among the models
# A model's name stands in paths and metrics, and names a deployment of Serve.
MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# An alias stands in paths and bodies; clients send names such as openai/whisper-1 or mistral:7b.
_PART = r"[A-Za-z0-9][A-Za-z0-9._:@-]*"
ALIAS = re.compile(rf"(?=.{{1,128}}\Z){_PART}(?:/{_PART})*")
# The whole graph's, the two deployments' of the server, and the end of `/v2/models/stats`.
TAKEN_NAMES = {GRAPH, INGRESS, CONTROL, "stats"}
AliasName = Annotated[str, Field(pattern=r"^[!-~]([ -~]{0,78}[!-~])?$")]  # printable ASCII


def check_model(name: str, kind: Kind, engine: str) -> None:
    """Refuse a model's name that means something else already, or cannot stand in a path.

    Raises:
        ValueError: names the key and what is allowed.
    """
    where = f"models.{name or repr(name)}"
    if not MODEL_NAME.fullmatch(name):
        raise ValueError(
            f"{where}: a model's name has 1 to 64 letters, digits, '-', '_' and '.', "
            "and begins with a letter or a digit"
        )
    if name in TAKEN_NAMES:
        raise ValueError(f"{where}: the server itself has something of that name")
    if name in get_args(Kind) and name != kind:
        raise ValueError(f"{where}: the name is that of a kind, and {engine} is {kind}")


def check_alias(alias: str, name: str, models: Collection[str]) -> None:
    """Refuse an alias that hides another name or cannot stand in a path, or is of no model.

    Raises:
        ValueError: names the key and what is allowed.
    """
    where = f"aliases.{alias or repr(alias)}"
    if not ALIAS.fullmatch(alias):
        raise ValueError(
            f"{where}: an alias has 1 to 128 letters, digits, '-', '_', '.', ':' and '@', in parts "
            "between '/' that begin with a letter or a digit"
        )
    if alias in TAKEN_NAMES:
        raise ValueError(f"{where}: the server itself has something of that name")
    if alias in models or alias in get_args(Kind):
        raise ValueError(f"{where}: the name is a model's or a kind's own")
    if name not in models and name not in KIND_NAMES:
        known = ", ".join([*models, *KIND_NAMES])
        raise ValueError(f"{where}: there is no model and no kind {name!r}; there are {known}")


def check_voice_alias(alias: str, of_languages: Mapping[str, str]) -> None:
    """Refuse an alias of the speaker's own voice, and languages that are no ISO 639-1 codes.

    Whether its voices are there is known once the models are loaded.

    Raises:
        ValueError: names the key.
    """
    if alias == SOURCE_VOICE:
        raise ValueError(f"voice_aliases.{alias}: the name is of the speaker's own voice")
    for language in of_languages:
        if language_code(language) != language:
            where = f"voice_aliases.{alias}.{language}"
            raise ValueError(f"{where}: no ISO 639-1 code, such as en")
