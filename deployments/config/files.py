"""The whole of a ``serve_config.yaml``: reads it, checks it, and names each field that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from deployments.config.policy import IngressUserConfig, Strict
from deployments.config.schema import AppConfig
from models.errors import ConfigError

# Keys of earlier configurations, and what they are called now.
RENAMED = {
    "http_options": "applications.0.args.ingress (host, port, keep_alive_timeout_s)",
}


class LoggingOptions(Strict):
    """Set the log of Ray Serve; Dragoman's own lines always come."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least level of the lines that are written."""
    encoding: Literal["TEXT", "JSON"] = "TEXT"
    """Format of the lines."""
    enable_access_log: bool = True
    """Write a line for each call between the server's processes."""
    logs_dir: str | None = None
    """Folder of the log's files. null: Ray's own."""


class ControllerEnvironment(Strict):
    """Set the environment of Serve's controller."""

    env_vars: dict[str, str] = Field(default_factory=dict)
    """Environment variables."""


class ControllerOptions(Strict):
    """Set Serve's controller, which `logging_config` does not reach."""

    runtime_env: ControllerEnvironment = ControllerEnvironment()
    """Environment of its process."""


class IngressOverride(Strict):
    """Change the ingress of a running server."""

    name: Literal["Ingress"]
    """Name of the deployment."""
    user_config: IngressUserConfig = IngressUserConfig()
    """What applies to a running server, without loading a model again."""


class Application(Strict):
    """Describe the application to Ray Serve."""

    name: Literal["dragoman"] = "dragoman"
    """Name by which the drain finds the application."""
    route_prefix: Literal["/"] = "/"
    """Path that all routes begin with."""
    import_path: Literal["deployments.app:build"]
    """The application's builder."""
    args: AppConfig
    """The application's arguments. A change here loads the changed models again."""
    deployments: list[IngressOverride] = Field(default_factory=list)
    """What applies to a running server."""

    @model_validator(mode="after")
    def _policies_name_models(self) -> Self:
        for override in self.deployments:
            check_policies(override.user_config, self.args)
        return self


class ServeFile(Strict):
    """Describe the whole of a ``serve_config.yaml``; Ray alone would drop unknown keys."""

    proxy_location: Literal["Disabled"]
    """Serve's own HTTP, which is off: the ingress listens itself."""
    logging_config: LoggingOptions = LoggingOptions()
    """The log of Ray Serve."""
    controller_options: ControllerOptions = ControllerOptions()
    """Serve's controller."""
    applications: Annotated[list[Application], Field(min_length=1, max_length=1)]
    """The one application."""

    @property
    def url(self) -> str:
        """Tell where a server of this configuration answers on its own machine."""
        ingress = self.applications[0].args.ingress
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(ingress.host, ingress.host)
        scheme = "http" if ingress.tls is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{ingress.port}"


def check_policies(user_config: IngressUserConfig, args: AppConfig) -> None:
    """Refuse batch policies for unknown models.

    Raises:
        ValueError: names the key.
    """
    for name in user_config.batching:
        if name not in args.models:
            raise ValueError(f"batching.{name}: there is no such model; {', '.join(args.models)}")


def load(path: Path) -> ServeFile:
    """Read and validate a whole serve file.

    Raises:
        ConfigError: the file is not YAML, or a field is wrong; the message names each one.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return ServeFile.model_validate(content)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {line}" for line in messages(error))) from error
    # ValueError: of bytes that are no text, and of values such as a day that does not exist.
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}") from error


def messages(error: ValidationError, *where: str) -> list[str]:
    """Write a line for each error: the field's path, which ``where`` begins, and what is wrong."""
    return [
        f"{'.'.join([*where, *map(str, e['loc'])]) or 'file'}: {_what(e)}" for e in error.errors()
    ]


def _what(error: ErrorDetails) -> str:
    """Say what is wrong with a field; of one that was renamed, its new name."""
    said = error["msg"].removeprefix("Value error, ")
    renamed = RENAMED.get(str(error["loc"][-1])) if error["loc"] else None
    return (
        f"{said}; it is {renamed} now" if error["type"] == "extra_forbidden" and renamed else said
    )
