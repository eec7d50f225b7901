"""Tables and findings of the server on the GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.gpu.measure import Row
from bench.results import Cell, Table

# The rows of the other parts with which a model of the server is compared: the same engine.
IN_PROCESS = {
    "speaker": ("ECAPA-TDNN", "float16, captured", "1 s"),
    "nmt": ("M2M100-418M", "m2m100, float16", "a sentence, 20 tokens"),
    "tts": ("YourTTS", "torch, float32", "a sentence"),
}
GB = 1e9


def best_in_process(rows: Sequence[Row], model: str) -> Row | None:
    """Find of a model's rows in this run the one with the most items a second."""
    kind = IN_PROCESS[model]
    same = [row for row in rows if (row.model, row.variant, row.what) == kind]
    return max(same, key=lambda row: row.items_a_s, default=None)


def tables(raw: Mapping[str, Any], rows: Sequence[Row]) -> list[Table]:
    found = []
    if raw.get("lines"):
        found.append(_loads(raw["lines"], rows))
    if raw.get("doctor"):
        found.append(_doctor(raw["doctor"]))
    if raw.get("metrics"):
        found.append(_metrics(raw))
    return found


def findings(raw: Mapping[str, Any], rows: Sequence[Row]) -> list[str]:
    found = []
    for work in dict.fromkeys(line["work"] for line in raw.get("lines", ())):
        lines = [line for line in raw["lines"] if line["work"] == work]
        most = max(lines, key=lambda line: line["requests_a_s"])
        best = best_in_process(rows, most["model"])
        beside = ""
        if best is not None:
            share = most["requests_a_s"] / best.items_a_s
            beside = (
                f", {share:.2f} of the same model called in-process with its best batch "
                f"({best.batch_size}: {best.items_a_s:,.0f}/s)"
            )
        found.append(
            f"Served, {work}: {most['requests_a_s']:,.0f} requests/s at {most['callers']} callers"
            f"{beside}; {most['mean_batch']:.1f} items a batch."
        )
    if stopped := raw.get("stopped"):
        left = stopped["processes_left"]
        found.append(
            f"A server with every model on the GPU ended {stopped['took_s']} s after SIGTERM, with "
            f"exit code {stopped['exit_code']}; {len(left)} of its {stopped['processes_before']} "
            f"processes were left; the GPU held {_gb(stopped['gpu_bytes_before'])} GB before "
            f"it, of this bench, {_gb(stopped['gpu_bytes_serving'])} while it ran, "
            f"{_gb(stopped['gpu_bytes_after'])} after."
        )
    return found


def _loads(lines: Sequence[Mapping[str, Any]], rows: Sequence[Row]) -> Table:
    def over_the_best(line: Mapping[str, Any]) -> Cell:
        best = best_in_process(rows, line["model"])
        return None if best is None else line["requests_a_s"] / best.items_a_s

    return Table.of(
        "The server with the GPU profile, over HTTP",
        lines,
        {
            "work": lambda line: line["work"],
            "callers": lambda line: line["callers"],
            "requests/s": lambda line: line["requests_a_s"],
            "p50 ms": lambda line: line["p50_ms"],
            "p95 ms": lambda line: line["p95_ms"],
            "items a batch": lambda line: line["mean_batch"],
            "over the best in-process": over_the_best,
            "ingress, of a core": lambda line: f"{line['ingress_cpu']:.0%}",
            "model": lambda line: f"{line['model_cpu']:.0%}",
            "callers' share": lambda line: f"{line['callers_cpu']:.0%}",
        },
    )


def _doctor(said: Mapping[str, Any]) -> Table:
    cells: list[list[Cell]] = [
        [finding["check"], finding["status"], finding["found"]] for finding in said["findings"]
    ]
    cells.append(["", said["status"], said["verdict"]])
    return Table(
        "What `GET /v1/doctor` says after these loads", ["check", "status", "found"], cells
    )


def _metrics(raw: Mapping[str, Any]) -> Table:
    """Show the metrics under the last load of each work, and after all."""
    moments = {f"in {work}": said for work, said in raw["gpu_under_load"].items()}
    moments["after"] = raw["metrics"]
    names = list(dict.fromkeys(name for said in moments.values() for name in said))
    cells: list[list[Cell]] = [
        [f"`{_short(name)}`", *(_plain(said.get(name)) for said in moments.values())]
        for name in names
    ]
    return Table("Metrics of the GPU", ["name", *moments], cells)


def _short(name: str) -> str:
    """Leave out the label of the GPU, which is its number in the world."""
    return name if name.startswith("model_on_gpu") else name.partition("{")[0]


def _plain(value: float | None) -> str | None:
    return None if value is None else f"{value:,.4g}" if value < 1e6 else f"{value:,.0f}"


def _gb(size_bytes: int | None) -> str:
    return "unknown" if size_bytes is None else f"{size_bytes / GB:.1f}"
