"""Triton's model configuration: a model's settings in its words, and overriding ones read back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from deployments.catalogue.generation import ModelOverride
from deployments.config.names import GRAPH
from deployments.config.policy import NO_BOUND, BatchPolicy
from deployments.config.schema import ModelConfig
from deployments.inference import signature
from deployments.inference.json_documents import json_object
from deployments.inference.kinds.base import Served
from models.errors import InvalidRequest

US = 1_000_000  # a second
MAX_US = 1 << 53
MS = 1000  # microseconds
# What `parameters` may name of ours: the fields of ModelConfig that Triton has no word for.
SETTINGS = ("engine", "weights", "device", "gpu_fraction", "threads", "idle_unload_s")
OPTION = "options."  # and before an option of the engine
NO_CACHE = {"enable": False}
DELAY = "dynamic_batching.max_queue_delay_microseconds"
WHEN_IDLE = "delay_when_idle"  # the one parameter that is of the batch policy
ON_GPU = {"cuda": "KIND_GPU", "cpu": "KIND_CPU"}


def as_json(
    served: Served, config: ModelConfig | None, policy: BatchPolicy | None = None
) -> dict[str, Any]:
    """Show the configuration of one name. ``config`` is None where that is no model of its own.

    Raises:
        NotReady, Unavailable: the model's own file says what its tensors are, and was not loaded.
    """
    inputs, outputs = served.signature.inputs, served.signature.outputs
    tensors = {"input": signature.config(inputs), "output": signature.config(outputs)}
    return {**settings_json(served, config, policy), **tensors}


def settings_json(
    served: Served, config: ModelConfig | None, policy: BatchPolicy | None = None
) -> dict[str, Any]:
    """Show the configuration without its tensors, which may not be known yet."""
    common = {
        "name": served.name,
        "platform": platform(served, config),
        "backend": "" if config is None else config.engine,
        "version_policy": {"latest": {"num_versions": 1}},
        "max_batch_size": policy.max_batch_size if policy else served.max_batch_size,
        "model_transaction_policy": {"decoupled": False},
    }
    if served.name == GRAPH:
        steps = [_step(name) for name in served.steps]
        return {**common, "ensemble_scheduling": {"step": steps}, "response_cache": NO_CACHE}
    if config is None or policy is None:
        return {**common, "response_cache": NO_CACHE}
    device = ON_GPU.get(config.device, "KIND_AUTO")
    return {
        **common,
        "instance_group": [{"name": served.name, "kind": device, "count": config.first_replicas}],
        "dynamic_batching": _batching(policy),
        "response_cache": {"enable": policy.response_cache},
        "parameters": {
            key: {"string_value": text} for key, text in _parameters(config, policy).items()
        },
    }


def platform(served: Served, config: ModelConfig | None) -> str:
    """Return Triton's word for what runs it; any model of a kind may serve the kind's name."""
    if served.name == GRAPH:
        return "ensemble"
    return "dragoman_any" if config is None else f"dragoman_{config.engine}"


def _step(name: str) -> dict[str, Any]:
    return {"model_name": name, "model_version": -1, "input_map": {}, "output_map": {}}


def _batching(policy: BatchPolicy) -> dict[str, Any]:
    return {
        "preferred_batch_size": [],
        "max_queue_delay_microseconds": round(policy.max_queue_delay_ms * MS),
        "preserve_ordering": policy.preserve_ordering,
        "priority_levels": policy.priority_levels,
        "default_priority_level": policy.default_priority,
        "default_queue_policy": {
            "timeout_action": "REJECT",
            "default_timeout_microseconds": round((policy.default_timeout_s or 0) * US),
            "allow_timeout_override": True,
            "max_queue_size": policy.max_queue_size % NO_BOUND,  # Triton's 0 is no bound
        },
    }


def _parameters(config: ModelConfig, policy: BatchPolicy) -> dict[str, str]:
    settings = {name: getattr(config, name) for name in SETTINGS}
    settings[WHEN_IDLE] = policy.delay_when_idle
    options = {OPTION + name: value for name, value in config.options.items()}
    texts = {**settings, **options}
    return {key: _as_text(value) for key, value in texts.items() if value is not None}


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


# ---- overriding ------------------------------------------------------------------------


def override(text: str, current: Mapping[str, Any]) -> ModelOverride:
    """Find what an operator's configuration changes of the file's, as ``as_json`` showed that.

    A key that says what the file does changes nothing, so that a configuration that was read can
    be sent back with one value changed.

    Raises:
        InvalidRequest: not JSON, or it changes what cannot be changed; the message names the key.
    """
    try:
        wanted = json_object(text.encode())
    except (InvalidRequest, UnicodeEncodeError) as error:
        raise InvalidRequest(f"config must be a JSON object: {error}", param="config") from error
    changes = _Changes()
    for key, value in wanted.items():
        if key == "parameters":
            changes.parameters(value, current[key])
        elif key in ("dynamic_batching", "response_cache") and key in current:
            changes.walk(key, value, current[key])
        else:
            changes.apply(key, value, current.get(key))
    changes.mean_triton_s_delay(wanted, current)
    return ModelOverride(changes.model, changes.policy)


Policy = Callable[[Any], Mapping[str, Any]]
# The path of each key that can be changed, and what that is of our batch policy.
POLICIES: Mapping[str, Policy] = {
    "max_batch_size": lambda value: {"max_batch_size": value},
    DELAY: lambda value: {"max_queue_delay_ms": _number(value) / MS},
    "dynamic_batching.preserve_ordering": lambda value: {"preserve_ordering": value},
    "dynamic_batching.priority_levels": lambda value: {"priority_levels": _or(value, 1)},
    "dynamic_batching.default_priority_level": lambda value: {"default_priority": _or(value, 1)},
    "dynamic_batching.default_queue_policy.default_timeout_microseconds": lambda value: {
        "default_timeout_s": _number(value) / US or None
    },
    "dynamic_batching.default_queue_policy.max_queue_size": lambda value: {
        "max_queue_size": _or(value, NO_BOUND)
    },
    "response_cache.enable": lambda value: {"response_cache": value},
}


class _Changes:
    """Collect what differs from the current configuration, in our own words."""

    def __init__(self) -> None:
        self.model: dict[str, Any] = {}
        self.policy: dict[str, Any] = {}

    def apply(self, path: str, value: Any, current: Any) -> None:
        if value == current and type(value) is type(current):
            return
        if path in POLICIES:
            self.policy.update(POLICIES[path](value))
        elif path == "instance_group":
            self.model["replicas"] = _count(value, current)
        else:
            raise _wrong(path, "cannot be changed")

    def walk(self, path: str, value: Any, current: Any) -> None:
        """Go through an object within the configuration."""
        if not isinstance(value, dict):
            raise _wrong(path, "must be an object")
        for key, inner in value.items():
            known = current.get(key) if isinstance(current, dict) else None
            if isinstance(known, dict):
                self.walk(f"{path}.{key}", inner, known)
            else:
                self.apply(f"{path}.{key}", inner, known)

    def parameters(self, value: Any, current: Mapping[str, Any]) -> None:
        """Read our own settings; each is ``{"string_value": text}``."""
        if not isinstance(value, dict):
            raise _wrong("parameters", "must be an object")
        for key, inner in value.items():
            text = inner.get("string_value") if isinstance(inner, dict) else None
            if not isinstance(text, str):
                raise _wrong(f"parameters.{key}", 'must be {"string_value": text}')
            if current.get(key) == {"string_value": text}:
                continue
            if key == WHEN_IDLE:
                self.policy[WHEN_IDLE] = _value(text)
            elif key.startswith(OPTION):
                self._option(key.removeprefix(OPTION), text, current)
            elif key in SETTINGS:
                self.model[key] = _value(text)
            else:
                known = ", ".join([*SETTINGS, WHEN_IDLE, f"{OPTION}NAME"])
                raise _wrong(f"parameters.{key}", f"is unknown; there are {known}")

    def mean_triton_s_delay(self, wanted: Mapping[str, Any], current: Mapping[str, Any]) -> None:
        """Let Triton's delay mean what it means there: batches wait at a free replica, too.

        Unless they say otherwise, as a configuration that was read does.
        """
        delay = (wanted.get("dynamic_batching") or {}).get(DELAY.rpartition(".")[2])
        if delay is None or WHEN_IDLE in (wanted.get("parameters") or {}):
            return
        if (delay > 0) != _value(current["parameters"][WHEN_IDLE]["string_value"]):
            self.policy[WHEN_IDLE] = delay > 0

    def _option(self, name: str, text: str, current: Mapping[str, Any]) -> None:
        """Set one option of the engine; the others stay as they are."""
        if "options" not in self.model:
            self.model["options"] = {
                key.removeprefix(OPTION): _value(kept["string_value"])
                for key, kept in current.items()
                if key.startswith(OPTION)
            }
        self.model["options"][name] = _value(text)


def _value(text: str) -> Any:
    """Return the JSON value of a text, or the text itself where it is no JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value <= MAX_US:
        raise _wrong("dynamic_batching", f"expected a number of microseconds, got {value!r:.40}")
    return float(value)


def _or(value: Any, default: int) -> Any:
    """Replace Triton's 0, which means the default."""
    return default if type(value) is int and value == 0 else value


def _count(groups: Any, current: Any) -> int:
    """Count the instances of all groups, on the device that the model has."""
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        raise _wrong("instance_group", "must be a list of objects")
    for group in groups:
        if group.get("kind", current[0]["kind"]) != current[0]["kind"]:
            raise _wrong("instance_group", "kind cannot be changed; parameters.device can")
        if unknown := set(group) - {"name", "kind", "count"}:
            raise _wrong("instance_group", f"{sorted(unknown)[0]} is not known")
    counts = [group.get("count", 1) for group in groups]
    if not counts or not all(type(count) is int and count > 0 for count in counts):
        raise _wrong("instance_group", "each count must be a whole number from 1")
    return sum(counts)


def _wrong(key: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"config: {key[:80]} {what}", param="config")
