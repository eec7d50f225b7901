"""Check what a running server's models report: where each runs, how fast, in what memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deployments.doctor.machine_checks import GB, Finding
from deployments.doctor.probe import Machine
from deployments.telemetry.model_report import LOADING, READY, ModelReport, ReplicaReport

# The first batch after a warm-up that is slower than both has met kernels, graphs or pages that
# the warm-up should have met.
SLOW_FIRST = 3.0  # times the mean of later batches
SLOW_FIRST_S = 0.25  # above that mean
ENOUGH_BATCHES = 5  # for a mean
SHORT_OF_LIMIT = 0.95  # of a model's memory limit on the GPU


def model_findings(machine: Machine, reports: Sequence[ModelReport]) -> list[Finding]:
    """Judge each configured model's state, and what each of its replicas reports."""
    findings = [_state(report) for report in reports if report.state != READY]
    for report in reports:
        for replica in report.replicas:
            check = f"model {report.name}"
            if len(report.replicas) > 1:
                check += f" {replica.replica[:8]}"
            findings += [
                _device(check, replica, machine),
                *_memory(check, replica),
                _times(check, replica),
                *_failures(check, replica),
            ]
    return findings


def _state(report: ModelReport) -> Finding:
    check = f"model {report.name}"
    if report.state == LOADING:
        fix = "wait: `dragoman ready --wait 300`; the server's log says what it is doing"
        return Finding(check, "warning", "still loading", fix)
    fix = "read the server's log, mend what it names, and start again"
    return Finding(check, "failed", report.state, fix)


def _device(check: str, replica: ReplicaReport, machine: Machine) -> Finding:
    device = replica.device
    found = (
        f"asked for {device.requested}, runs on {device.gpu_name or device.actual} "
        f"({device.reason}), {device.library}, {device.precision}, "
        f"{device.threads} threads"
    )
    # A model may have been started before what is wrong now; its own reason is what counts.
    fell_back = device.requested == "auto" and device.actual == "cpu" and machine.gpus
    if not fell_back or "gpu_fraction is 0" in device.reason:
        return Finding(check, "ok", found)
    fix = "mend what its reason names (the findings above have the commands), and start again"
    return Finding(check, "warning", found, fix)


def _memory(check: str, replica: ReplicaReport) -> Iterator[Finding]:
    device = replica.device
    used, limit = device.memory_bytes, device.memory_limit_bytes
    where = "of the GPU" if device.actual == "cuda" else "resident"
    found = f"{used / GB:.2f} GB {where}"
    if device.actual == "cuda":
        bound = "no limit: CTranslate2 has none" if limit is None else f"limit {limit / GB:.2f} GB"
        found += f", {bound}"
    if limit and used > SHORT_OF_LIMIT * limit:
        fix = "raise its gpu_fraction, or lower its max_batch_size or max_batch_cost"
        yield Finding(f"{check} memory", "warning", f"{found}: nearly full", fix)
    else:
        yield Finding(f"{check} memory", "ok", found)


def _times(check: str, replica: ReplicaReport) -> Finding:
    statistics = replica.statistics
    batches, first_s = statistics.batches, statistics.first_batch_s
    found = f"loaded in {replica.device.load_s:.1f} s, warmed up in {replica.warm_up_s:.1f}"
    if first_s is None:
        return Finding(f"{check} times", "ok", f"{found}; no batch yet")
    found += f"; first batch {first_s * 1e3:.0f} ms"
    if batches > 1:
        later_s = (statistics.busy_s - first_s) / (batches - 1)
        mean_size = statistics.items / batches
        found += f", later {later_s * 1e3:.0f} ms on average; {mean_size:.1f} items a batch"
        slow = first_s > max(SLOW_FIRST * later_s, later_s + SLOW_FIRST_S)
        if batches > ENOUGH_BATCHES and slow:
            fix = "its warm-up lacks a shape that requests have: report it with the request"
            return Finding(f"{check} times", "warning", found, fix)
    return Finding(f"{check} times", "ok", found)


def _failures(check: str, replica: ReplicaReport) -> Iterator[Finding]:
    failed = replica.statistics.failed_batches
    if failed:
        fix = "look for `failed on a batch` in the server's log: out of memory asks for less of it"
        yield Finding(f"{check} failures", "warning", f"{failed} batches failed as a whole", fix)
