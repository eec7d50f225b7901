"""Dragoman's own log, of every process: to stderr, which Ray brings to the terminal."""

from __future__ import annotations

import logging

logger = logging.getLogger("dragoman")


def set_up() -> None:
    """Once a process. Serve's own loggers keep the settings of ``logging_config``."""
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("dragoman: %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
