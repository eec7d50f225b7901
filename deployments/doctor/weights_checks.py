"""Check that each model's weights are where the configuration says, before a start.

Nothing is downloaded and no file is read; ``dragoman fetch`` does that.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from deployments.config.environment import starts_own_cluster
from deployments.config.schema import ModelConfig
from deployments.doctor.machine_checks import Finding
from deployments.telemetry.log import logger
from models.errors import ConfigError, WeightsError
from models.registry import find_engine
from models.weights import hub
from models.weights.licences import check_accepted
from models.weights.source import resolve

ASK_S = 5.0  # for the hub to say whether it has a repository
FETCH = "run `dragoman fetch` while there is network"
MEND = "name weights that are there (docs/models.md)"


def check_weights(models: Mapping[str, ModelConfig]) -> None:
    """Refuse weights that are absent, and warn of those that nobody can tell about.

    On a cluster that runs already, its nodes must have the weights, so absent ones are warnings.

    Raises:
        ConfigError: some are absent, or the hub tells a licence that must be accepted, and is not.
    """
    findings = weights_findings(models)
    absent = [f"{each.check}: {each.found}" for each in findings if each.status == "failed"]
    if absent and starts_own_cluster(os.environ):
        raise ConfigError("\n".join(absent))
    for finding in findings:
        logger.warning("%s: %s; %s", finding.check, finding.found, finding.fix)


def weights_findings(models: Mapping[str, ModelConfig]) -> list[Finding]:
    """Return what is wrong with the weights: ``failed`` if they are absent, else ``warning``.

    A hub that could not be asked once is not asked again.
    """
    findings: list[Finding] = []
    is_reachable = True
    for name, model in models.items():
        check = f"models.{name}.weights"
        try:
            unknown = _why_unknown(name, model, ask_hub=is_reachable)
        except WeightsError as error:
            findings.append(Finding(check, "failed", str(error), MEND))
            continue
        if unknown:
            is_reachable = False
            findings.append(Finding(check, "warning", unknown, FETCH))
    return findings


def _why_unknown(name: str, model: ModelConfig, *, ask_hub: bool) -> str | None:
    """Say why nobody can tell whether the weights can be had; None: they can.

    Raises:
        WeightsError: they are absent.
        ConfigError: the hub tells a licence that must be accepted, and is not.
    """
    engine = find_engine(model.engine).engine
    if not engine.needs_weights:
        return None
    scheme, _, reference = model.weights.partition(":")
    if scheme == "hf" and hub.in_cache(reference, engine.files) is None:
        return _why_unreachable(name, model, ask=ask_hub)
    resolve(model.weights, model.sha256, engine.files).check_names(engine.files)
    return None


def _why_unreachable(name: str, model: ModelConfig, *, ask: bool) -> str | None:
    """Ask the hub for weights that are not here. Return why it cannot be asked; None: it has them.

    Raises:
        WeightsError: it has none, or may not be asked.
        ConfigError: it tells a licence that must be accepted, and is not.
    """
    from huggingface_hub import constants

    reference = model.weights.partition(":")[2]

    if constants.HF_HUB_OFFLINE:
        raise WeightsError(f"hf:{reference}: not here, and HF_HUB_OFFLINE forbids to ask the hub")
    if not ask:
        return f"hf:{reference}: not here, and the hub cannot be asked"
    try:
        told = hub.check_exists(reference, ASK_S)
    except OSError as error:
        return str(error)
    if told is not None:
        check_accepted(name, model.weights, told, is_accepted=model.accept_license)
    return None
