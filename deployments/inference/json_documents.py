"""Read callers' JSON: finite numbers only, and strings that UTF-8 can hold.

Python's own reader takes NaN, halves of surrogate pairs and numbers of any length.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from models.errors import InvalidRequest


def _refuse_constant(token: str) -> NoReturn:
    raise _unreadable(f"{token} is no JSON number")


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)


def json_object(data: bytes | memoryview) -> dict[str, Any]:
    """Read the object that is all of ``data``.

    Raises:
        InvalidRequest: it is none, in Triton's words.
    """
    try:
        text = str(data, "utf-8")
        document = _decoder.decode(text)
        if "\\ud" in text or "\\uD" in text:  # halves of surrogate pairs fail here
            json.dumps(document, ensure_ascii=False).encode()
    except RecursionError:
        raise InvalidRequest("the request JSON is nested too deeply", param="body") from None
    except UnicodeError:
        raise _unreadable("it is not valid UTF-8") from None
    except json.JSONDecodeError as error:
        raise _unreadable(str(error)) from None
    except ValueError:  # Python's bound on the digits of an integer
        raise _unreadable("a number has too many digits") from None
    if type(document) is not dict:
        raise InvalidRequest("the request JSON must be an object", param="body")
    return document


def _unreadable(why: str) -> InvalidRequest:
    return InvalidRequest(f"failed to parse the request JSON buffer: {why}", param="body")
