"""Ask a running server for its models: their states, and the report of each that is ready."""

from __future__ import annotations

import json
import ssl
from functools import partial
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from deployments.doctor.machine_checks import Finding
from deployments.telemetry.model_report import READY, ModelReport, from_listing

ASK_S = 10.0  # for each question


def ask_server(
    url: str, key: str | None = None, trust: ssl.SSLContext | None = None
) -> tuple[list[ModelReport] | None, Finding]:
    """Return the report of each configured model, and whether there is a server.

    Args:
        url: the server's.
        key: to be sent along; None: no key.
        trust: the certificates that are accepted; None: those of the system.

    Returns:
        None instead of the reports, if no server answers.
    """
    get = partial(get_json, key=key, trust=trust)
    try:
        states: dict[str, str] = dict(get(f"{url}/health/ready", not_ready=503)["models"])
    except (OSError, ValueError, KeyError, TypeError):
        return None, Finding("server", "ok", f"none answers at {url}: its models are not known")
    reports, missing = [], []
    for name, state in states.items():
        report = ModelReport(name, state)
        if state == READY:
            try:
                report = from_listing(get(f"{url}/v1/models/{name}"), state)
            except (OSError, ValueError) as error:
                missing.append(f"model {name} ({_first_line(error)})")
        reports.append(report)
    if missing:
        found = f"{url} does not describe {', '.join(missing)}"
        return reports, Finding("server", "warning", found, "look at the server's log")
    return reports, Finding("server", "ok", f"answers at {url}")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def get_json(
    url: str,
    not_ready: int | None = None,
    *,
    key: str | None = None,
    trust: ssl.SSLContext | None = None,
) -> Any:
    """Return the answer's JSON.

    Raises:
        OSError: there is no answer, or one with a status of failure other than ``not_ready``.
        ValueError: the answer is not JSON.
    """
    request = Request(url, headers={"Authorization": f"Bearer {key}"} if key else {})
    try:
        with urlopen(request, timeout=ASK_S, context=trust) as answer:
            return json.load(answer)
    except HTTPError as error:
        with error:
            if error.code != not_ready:
                raise
            return json.load(error)
