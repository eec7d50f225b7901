"""Says whether the GPU is used, and if not, why, with the fix of each problem.

``python -m deployments.doctor.diagnosis [--config FILE] [--url URL] [--json]`` looks at this
machine, at the configuration, and at the server of that address if one runs, with the key in
``DRAGOMAN_KEY`` where it needs one. Exit code 0: nothing failed; 1: something did; 2: the
configuration cannot be read.
"""

from __future__ import annotations

import argparse
import json
import os
import ssl
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from deployments.catalogue.serving import READY
from deployments.config.files import load
from deployments.doctor.machine_checks import Finding, Models, Status, machine_findings, severity
from deployments.doctor.model_checks import Row, is_on_gpu, model_findings
from deployments.doctor.probe import Machine, look
from deployments.security import tls
from models.errors import ConfigError

KEY_VARIABLE = "DRAGOMAN_KEY"  # of the environment: the key to ask a server with
ASK_S = 10.0  # what each question to the server may take


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings, and what they come to."""

    hostname: str
    status: Status  # the worst of the findings
    verdict: str
    findings: tuple[Finding, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def diagnose(
    machine: Machine,
    models: Models,
    states: Mapping[str, str] | None = None,
    rows: Sequence[Row] = (),
    others: Sequence[Finding] = (),
) -> Diagnosis:
    """Put the findings together.

    Args:
        machine: its facts.
        models: the configuration's.
        states: of each model of a running server; None: none runs.
        rows: of the server's models that are ready, as ``/v1/models`` has them.
        others: findings of whoever asks, put between the machine's and the models'.
    """
    findings = (
        *machine_findings(machine, models),
        *others,
        *([] if states is None else model_findings(machine, states, rows)),
    )
    found = {finding.status for finding in findings}
    status: Status = "failed" if "failed" in found else "warning" if "warning" in found else "ok"
    return Diagnosis(machine.hostname, status, _verdict(machine, models, rows, findings), findings)


def _verdict(
    machine: Machine, models: Models, rows: Sequence[Row], findings: Sequence[Finding]
) -> str:
    bad = [finding for finding in findings if finding.status == "failed"]
    doubtful = [finding for finding in findings if finding.status == "warning"]
    if bad:
        return f"{len(bad)} failed, the first at {bad[0].check}: {bad[0].found}"
    if machine.gpu_count == 0 and severity(models) != "failed":
        said = "no GPU here: every model runs on the CPU, as the configuration allows"
    elif rows:
        on_gpu = [row["id"] for row in rows if is_on_gpu(row)]
        said = f"{len(on_gpu)} of {len(rows)} models run on a GPU: {', '.join(on_gpu) or 'none'}"
    elif machine.gpu_count is None:
        said = "slices of a GPU can be used here"
    else:
        said = f"{machine.gpu_count} GPUs can be used here"
    return said if not doubtful else f"{said}; {len(doubtful)} warnings"


def without_machine(why: str, fix: str) -> Diagnosis:
    """The diagnosis of a machine that could not be looked at."""
    finding = Finding("machine", "failed", f"it could not be looked at: {why}", fix)
    return Diagnosis("", "failed", finding.found, (finding,))


# ---- the command -----------------------------------------------------------------------


def main(
    arguments: Sequence[str] | None = None,
    out: TextIO | None = None,
    look_at: Callable[[Mapping[str, str]], Machine] = look,
) -> int:
    parser = argparse.ArgumentParser(prog="deployments.doctor.diagnosis", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("serve_config.yaml"))
    parser.add_argument("--url", help="of the server; by default as the configuration says")
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(arguments)
    try:
        config = load(options.config)
    except ConfigError as error:
        parser.exit(2, f"the configuration is wrong\n{error}\n")
    url, ingress = options.url or config.url, config.applications[0].args.ingress
    key = os.environ.get(KEY_VARIABLE)
    states, rows, server = ask_server(url, key, None if options.url else tls.own(ingress.tls))
    models = config.applications[0].args.models
    try:
        diagnosis = diagnose(look_at(os.environ), models, states, rows, [server])
    except (OSError, ValueError) as error:
        diagnosis = without_machine(str(error), "python -m deployments.doctor.probe")
    text = json.dumps(diagnosis.to_dict(), indent=2) if options.json else as_text(diagnosis)
    (out or sys.stdout).write(text + "\n")
    return 1 if diagnosis.status == "failed" else 0


def as_text(diagnosis: Diagnosis) -> str:
    """A line a finding, its fix below it, the verdict last."""
    width = max(len(finding.check) for finding in diagnosis.findings)
    lines = []
    for finding in diagnosis.findings:
        lines.append(f"{finding.status:<8} {finding.check:<{width}}  {finding.found}")
        if finding.fix:
            lines.append(f"{'':<8} {'':<{width}}  fix: {finding.fix}")
    return "\n".join([*lines, "", f"{diagnosis.hostname}: {diagnosis.verdict}"])


def ask_server(
    url: str, key: str | None = None, trust: ssl.SSLContext | None = None
) -> tuple[dict[str, str] | None, list[Row], Finding]:
    """The states and rows of a server's models, and whether there is a server."""
    get = partial(_get, key=key, trust=trust)
    try:
        states: dict[str, str] = get(f"{url}/health/ready", not_ready=503)["models"]
    except (OSError, ValueError, KeyError, TypeError):
        return None, [], Finding("server", "ok", f"none answers at {url}: its models are not known")
    rows: list[Row] = []
    missing: list[str] = []
    for name in (name for name, state in states.items() if state == READY):
        try:
            rows.append(_row(get(f"{url}/v1/models/{name}")))
        except (OSError, ValueError) as error:
            missing.append(f"model {name} ({error})")
    if missing:
        found = f"{url} does not describe {', '.join(missing)}"
        return states, rows, Finding("server", "warning", found, "look at the server's log")
    return states, rows, Finding("server", "ok", f"answers at {url}")


def _row(row: Any) -> Row:
    if not isinstance(row, dict) or not row.keys() >= {"id", "replica_reports"}:
        raise ValueError("the answer is no model's")
    return row


def _get(
    url: str,
    not_ready: int | None = None,
    *,
    key: str | None = None,
    trust: ssl.SSLContext | None = None,
) -> Any:
    """The answer's JSON. Raises OSError: none, or a failure other than ``not_ready``."""
    request = Request(url, headers={"Authorization": f"Bearer {key}"} if key else {})
    try:
        with urlopen(request, timeout=ASK_S, context=trust) as answer:
            return json.load(answer)
    except HTTPError as error:
        with error:
            if error.code != not_ready:
                raise
            return json.load(error)


if __name__ == "__main__":
    sys.exit(main())
