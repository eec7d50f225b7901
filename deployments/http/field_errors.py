"""Say what is wrong with a request's fields, in words for people who do not know pydantic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

MAX_ECHO_CHARS = 80  # of what a caller sent, in the message that refuses it

# Pydantic's kinds of errors: what the field must be. Names in braces are of the error's context.
MUST = {
    "string_type": "must be a string",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "literal_error": "must be {expected}",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be below {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "too_long": "must have at most {max_length} entries",
    "union_tag_invalid": "must be {expected_tags}",
    "union_tag_not_found": "is required",
    "string_unicode": "must be text that UTF-8 can hold",
    "missing": "is required",
    "extra_forbidden": "is not known here",
}


def what_is_wrong(error: ValidationError) -> tuple[str, str]:
    """Say what the first wrong field must be, and return that field's name, too."""
    errors = error.errors(include_url=False)
    param = _field(errors[0])
    of_field = [each for each in errors if _field(each) == param]
    deepest = max(len(each["loc"]) for each in of_field)
    told = [each for each in of_field if len(each["loc"]) == deepest]  # of one of several types
    must = list(dict.fromkeys(must_be(each) for each in told))
    alternatives = [must[0], *(each.removeprefix("must be ") for each in must[1:])]
    return f"{_place(told[0])} {' or '.join(alternatives)}", param


def _field(error: ErrorDetails) -> str:
    return str(error["loc"][0])[:MAX_ECHO_CHARS] if error["loc"] else "body"


def _place(error: ErrorDetails) -> str:
    """Name the field, and which of its entries where it is a list."""
    return _field(error) + "".join(f"[{part}]" for part in error["loc"] if isinstance(part, int))


def must_be(error: ErrorDetails) -> str:
    """Say what a field must be."""
    context: Mapping[str, Any] = error.get("ctx", {})
    if error["type"] == "value_error":
        return str(context["error"])
    words = MUST.get(error["type"])
    return words.format(**context) if words else f"is wrong: {error['msg']}"
