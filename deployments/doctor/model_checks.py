"""What a running server's models say of themselves: where each runs, how fast, in what memory.

Pure functions over the rows of ``/v1/models`` and the states of ``/health/ready``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from deployments.catalogue.serving import LOADING, READY
from deployments.doctor.machine_checks import GB, Finding
from deployments.doctor.probe import Machine

Row: TypeAlias = Mapping[str, Any]

# A first batch is slow where the warm-up left something for it: kernels, graphs, pages.
SLOW_FIRST = 3.0  # times the mean of later ones
SLOW_FIRST_S = 0.25  # and so much above it; below, nobody notices
ENOUGH_BATCHES = 5  # for a mean
SHORT_OF_LIMIT = 0.95  # of a model's memory limit on the GPU


def model_findings(
    machine: Machine, states: Mapping[str, str], rows: Sequence[Row]
) -> list[Finding]:
    """Each configured model's state, and what each replica that is ready reports."""
    findings = [_state(name, state) for name, state in states.items() if state != READY]
    for row in rows:
        for report in row["replica_reports"]:
            check = f"model {row['id']}"
            if len(row["replica_reports"]) > 1:
                check += f" {report['replica'][:8]}"
            findings += [
                _device(check, report, machine),
                *_memory(check, report),
                _times(check, report),
                *_failures(check, report),
            ]
    return findings


def is_on_gpu(row: Row) -> bool:
    """Whether every replica of the model runs on a GPU; not, where none reports."""
    reports = row["replica_reports"]
    return bool(reports) and all(report["device"]["actual"] == "cuda" for report in reports)


def _state(name: str, state: str) -> Finding:
    if state == LOADING:
        fix = "wait: `dragoman ready --wait 300`; the server's log says what it is doing"
        return Finding(f"model {name}", "warning", "still loading", fix)
    fix = "read the server's log, mend what it names, and start again"
    return Finding(f"model {name}", "failed", state, fix)


def _device(check: str, report: Row, machine: Machine) -> Finding:
    device = report["device"]
    found = (
        f"asked for {device['requested']}, runs on {device['gpu_name'] or device['actual']} "
        f"({device['reason']}), {device['library']}, {device['precision']}, "
        f"{device['threads']} threads"
    )
    # A model may have been started before what is wrong now; its own reason is what counts.
    fell_back = device["requested"] == "auto" and device["actual"] == "cpu" and machine.gpus
    if not fell_back or "gpu_fraction is 0" in device["reason"]:
        return Finding(check, "ok", found)
    fix = "mend what its reason names (the findings above have the commands), and start again"
    return Finding(check, "warning", found, fix)


def _memory(check: str, report: Row) -> Iterator[Finding]:
    device = report["device"]
    used, limit = device["memory_bytes"], device.get("memory_limit_bytes")
    where = "of the GPU" if device["actual"] == "cuda" else "resident"
    found = f"{used / GB:.2f} GB {where}"
    if device["actual"] == "cuda":
        bound = "no limit: CTranslate2 has none" if limit is None else f"limit {limit / GB:.2f} GB"
        found += f", {bound}"
    if limit and used > SHORT_OF_LIMIT * limit:
        fix = "raise its gpu_fraction, or lower its max_batch_size or max_batch_cost"
        yield Finding(f"{check} memory", "warning", f"{found}: nearly full", fix)
    else:
        yield Finding(f"{check} memory", "ok", found)


def _times(check: str, report: Row) -> Finding:
    statistics = report["statistics"]
    batches, first_s = statistics["batches"], statistics["first_batch_s"]
    found = f"loaded in {report['device']['load_s']:.1f} s, warmed up in {report['warm_up_s']:.1f}"
    if first_s is None:
        return Finding(f"{check} times", "ok", f"{found}; no batch yet")
    found += f"; first batch {first_s * 1e3:.0f} ms"
    if batches > 1:
        later_s = (statistics["busy_s"] - first_s) / (batches - 1)
        mean_size = statistics["items"] / batches
        found += f", later {later_s * 1e3:.0f} ms on average; {mean_size:.1f} items a batch"
        slow = first_s > max(SLOW_FIRST * later_s, later_s + SLOW_FIRST_S)
        if batches > ENOUGH_BATCHES and slow:
            fix = "its warm-up lacks a shape that requests have: report it with the request"
            return Finding(f"{check} times", "warning", found, fix)
    return Finding(f"{check} times", "ok", found)


def _failures(check: str, report: Row) -> Iterator[Finding]:
    failed = report["statistics"]["failed_batches"]
    if failed:
        fix = "look for `failed on a batch` in the server's log: out of memory asks for less of it"
        yield Finding(f"{check} failures", "warning", f"{failed} batches failed as a whole", fix)
