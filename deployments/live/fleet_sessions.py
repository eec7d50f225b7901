"""Open sessions over the models of a fleet."""

from __future__ import annotations

import asyncio

from deployments.catalogue.selection import Fleet
from deployments.config.schema import AppConfig
from deployments.live.senses import Senses
from deployments.live.sessions import Sessions


def sessions_of(fleet: Fleet, config: AppConfig) -> Sessions:
    """Return the register of the sessions of one ingress process."""

    def no(*a):
        raise NotImplementedError

    return Sessions(no, Senses(no, no), asyncio.get_running_loop(), config.live)
