"""The bounds of what a request may ask of the graph, whatever its protocol."""

from __future__ import annotations

from deployments.config.schema import Limits
from models.errors import TooLarge

SLOWEST, FASTEST = 0.25, 4.0  # of a voice's own speed
MAX_BEAM_SIZE = 10


def check_text_length(length_chars: int, limits: Limits, *, param: str) -> None:
    """Refuse more text than one request may hold."""
    if length_chars > limits.max_text_chars:
        message = f"{param} must have at most {limits.max_text_chars} characters in all"
        raise TooLarge(f"{message}, it has {length_chars}", param=param)
