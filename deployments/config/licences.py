"""Know the licences of weights before they are loaded, and refuse what nobody has accepted."""

from __future__ import annotations

from collections.abc import Mapping

from deployments.config.schema import ModelConfig
from models.errors import ConfigError
from models.registry import find_engine
from models.weights.licences import check_accepted
from models.weights.source import UNKNOWN_LICENCE, licence

STATED = "licence"  # the option of engines whose weights may tell none


def licence_of(model: ModelConfig) -> str:
    """Return the licence of a model's weights, as far as that is known without loading them.

    What the weights themselves tell comes first, then what the configuration states for them, then
    what the engine's published weights have.
    """
    engine = find_engine(model.engine).engine
    stated = model.options.get(STATED)
    return licence(model.weights, stated or engine.licence or UNKNOWN_LICENCE)


def check_licence(name: str, model: ModelConfig) -> None:
    """Refuse a model whose licence forbids commercial use, unless it accepts that.

    Raises:
        ConfigError: see ``check_accepted``.
    """
    told = licence_of(model)
    check_accepted(name, model.weights, told, is_accepted=model.accept_license)


def check_licences(models: Mapping[str, ModelConfig]) -> None:
    """Refuse the models of which ``check_licence`` refuses one.

    Raises:
        ConfigError: has a line for each of them.
    """
    refused = []
    for name, model in models.items():
        try:
            check_licence(name, model)
        except ConfigError as error:
            refused.append(str(error))
    if refused:
        raise ConfigError("\n".join(refused))
