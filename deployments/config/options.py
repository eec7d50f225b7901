"""Engine options: what the configuration says under ``options``, checked by the engine's class."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from models.registry import find_engine


def checked_options(engine: str, options: Mapping[str, Any]) -> Any:
    """Return the options as an instance of the engine's dataclass.

    Raises:
        ValidationError: an option is unknown, missing or wrong; its place is the option's name.
        ValueError: the dataclass itself cannot be used.
    """
    cls = find_engine(engine).engine.options
    unknown = sorted(set(options) - set(cls.__dataclass_fields__))
    if unknown:
        known = ", ".join(cls.__dataclass_fields__) or "none"
        error = PydanticCustomError(
            "unknown_option",
            "unknown option; {engine} has {known}",
            {"engine": engine, "known": known},
        )
        line = InitErrorDetails(type=error, loc=(unknown[0],), input=options[unknown[0]])
        raise ValidationError.from_exception_data("options", [line])
    try:
        return _adapter(engine).validate_python(dict(options))
    except ValidationError:
        raise
    except Exception as error:  # whatever somebody's dataclass does when it is made
        message = f"{engine}: {cls.__name__} cannot be made: {type(error).__name__}: {error}"
        raise ValueError(message) from error


@cache
def _adapter(engine: str) -> TypeAdapter[Any]:
    return TypeAdapter(find_engine(engine).engine.options)
