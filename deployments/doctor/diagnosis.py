"""Put together whether the GPU is used, and if not, why, with the fix of each problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from deployments.doctor.machine_checks import Finding, Models, Status, machine_findings, severity
from deployments.doctor.model_checks import model_findings
from deployments.doctor.probe import Machine
from deployments.telemetry.model_report import ModelReport


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings, the worst status among them, and the verdict in one sentence."""

    hostname: str
    status: Status
    verdict: str
    findings: tuple[Finding, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)


def diagnose(
    machine: Machine,
    models: Models,
    reports: Sequence[ModelReport] | None = None,
    others: Sequence[Finding] = (),
) -> Diagnosis:
    """Put the findings together.

    Args:
        machine: what was found out about it.
        models: the configuration's.
        reports: of each model of a running server; None: no server runs.
        others: findings of the caller's, put between the machine's and the models'.
    """
    findings = (
        *machine_findings(machine, models),
        *others,
        *model_findings(machine, reports or ()),
    )
    found = {finding.status for finding in findings}
    status: Status = "failed" if "failed" in found else "warning" if "warning" in found else "ok"
    verdict = _verdict(machine, models, reports or (), findings)
    return Diagnosis(machine.hostname, status, verdict, findings)


def _verdict(
    machine: Machine,
    models: Models,
    reports: Sequence[ModelReport],
    findings: Sequence[Finding],
) -> str:
    failed = [finding for finding in findings if finding.status == "failed"]
    warnings = [finding for finding in findings if finding.status == "warning"]
    if failed:
        return f"{len(failed)} failed, the first at {failed[0].check}: {failed[0].found}"
    answering = [report for report in reports if report.is_answering]
    if machine.gpu_count == 0 and severity(models) != "failed":
        said = "no GPU here: every model runs on the CPU, as the configuration allows"
    elif answering:
        on_gpu = [report.name for report in answering if report.is_on_gpu]
        named = ", ".join(on_gpu) or "none"
        said = f"{len(on_gpu)} of {len(answering)} models run on a GPU: {named}"
    elif machine.gpu_count is None:
        said = "slices of a GPU can be used here"
    else:
        said = f"{machine.gpu_count} GPUs can be used here"
    return said if not warnings else f"{said}; {len(warnings)} warnings"


def without_machine(why: str, fix: str) -> Diagnosis:
    """Return the diagnosis of a machine that could not be looked at."""
    finding = Finding("machine", "failed", f"it could not be looked at: {why}", fix)
    return Diagnosis("", "failed", finding.found, (finding,))


def as_text(diagnosis: Diagnosis) -> str:
    """Write a line for each finding, its fix below it, and the verdict last."""
    width = max(len(finding.check) for finding in diagnosis.findings)
    lines = []
    for finding in diagnosis.findings:
        lines.append(f"{finding.status:<8} {finding.check:<{width}}  {finding.found}")
        if finding.fix:
            lines.append(f"{'':<8} {'':<{width}}  fix: {finding.fix}")
    return "\n".join([*lines, "", f"{diagnosis.hostname}: {diagnosis.verdict}"])
