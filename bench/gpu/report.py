"""Tables, findings and notes of what the parts found."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.engine_inputs import TODAY_BATCH_MS, TODAY_SINGLE_MS
from bench.gpu import live_report, served_report
from bench.gpu.ceilings import Ceilings
from bench.gpu.measure import Found, Row
from bench.results import Cell, Chart, Results, Series, Spread, Table

NOT_ON_GPU = "Not yet run on a GPU: these rows are a reduced run on the CPU, of small models."
ECAPA = "ECAPA-TDNN"
TODAY_BATCH_SIZE = 32  # of 1 s, the largest that today's service names


def results(
    found: Mapping[str, Found],
    skipped: Mapping[str, str],
    took_s: Mapping[str, float],
    ceilings: Ceilings,
    gpu: str | None,
) -> Results:
    """Tell of each part what it found, why it was skipped, and how long it took."""
    rows = [row for part in found.values() for row in part.rows]
    raw = {name: part.as_raw() for name, part in found.items()}
    in_graph = found["graph"].raw if "graph" in found else {}
    served = found["served"].raw if "served" in found else {}
    lines = found["live"].raw.get("live", []) if "live" in found else []
    return Results(
        name="gpu" if gpu else "gpu-on-cpu",
        title=f"Every model on {gpu}" if gpu else "Every model on a GPU: not yet run on a GPU",
        findings=[*findings(rows, in_graph), *served_report.findings(served, rows)]
        if gpu
        else [NOT_ON_GPU],
        tables=[
            *([limits(ceilings)] if ceilings.tflops else []),
            *(table(model, of_model, ceilings) for model, of_model in _by_model(rows)),
            *([graph_table(in_graph)] if in_graph.get("callers") else []),
            *served_report.tables(served, rows),
            *([live_report.table(lines)] if lines else []),
            *([cosines(found["ecapa"].raw)] if gpu and "ecapa" in found else []),
            parts_table(found, took_s, skipped),
        ],
        charts=charts(rows) if gpu else (),
        notes=[
            *([] if gpu else [NOT_ON_GPU]),
            "Weights have the published sizes and random values, but Silero's: the arithmetic is "
            "the same, what is said is noise.",
            "A call is timed from items on the CPU to results on the CPU. `kernels` is the share "
            "of it in which at least one kernel or copy ran; the rest of it the device was idle.",
            "`of the limit` is what the products, or the weights that must be read at each step, "
            "would take at the measured ceilings, over what the call took.",
            *(note for part in found.values() for note in part.notes),
        ],
        raw={"gpu": gpu, "parts": raw, "skipped": dict(skipped), "took_s": dict(took_s)},
    )


def limits(ceilings: Ceilings) -> Table:
    cells: list[list[Cell]] = [
        [f"product of two matrices, {precision}", f"{tflops:,.1f} TFLOP/s"]
        for precision, tflops in ceilings.tflops.items()
    ]
    cells.append(["copy on the device, read and written", f"{ceilings.copy_gb_s:,.0f} GB/s"])
    return Table("The device's limits, measured", ["what", "at best"], cells)


def table(model: str, rows: Sequence[Row], ceilings: Ceilings) -> Table:
    return Table.of(
        model,
        rows,
        {
            "variant": lambda row: row.variant,
            "batch": lambda row: row.batch_size,
            "items": lambda row: row.what,
            "ms": lambda row: row.wall_ms.text(2),
            "items/s": lambda row: row.items_a_s,
            "kernels": lambda row: _percent(row.busy),
            "TFLOP/s": lambda row: row.tflops,
            "of the limit": lambda row: _percent(ceilings.share(row)),
            "audio s/s": lambda row: row.audio_s and 1000 * row.audio_s / row.wall_ms.median,
            "today ms": today,
        },
    )


def today(row: Row) -> str | None:
    """Return what today's service is said to take, where it is said."""
    if row.model != ECAPA or row.on != "cuda":
        return None
    duration_s = int(row.what.split()[0])
    if row.batch_size == 1:
        return "{}-{}".format(*TODAY_SINGLE_MS["cuda"][duration_s])
    known = TODAY_BATCH_MS["cuda"].get(row.batch_size) if duration_s == 1 else None
    return None if known is None else str(known)


def graph_table(in_graph: Mapping[str, Any]) -> Table:
    sequence_a_s = 1 / statistics.median(in_graph["sequence_s"])
    cells: list[list[Cell]] = [
        ["called in sequence", f"{sequence_a_s:.2f}", 1 / sequence_a_s, None, None, None, None]
    ]
    for line in in_graph["callers"]:
        rate = Spread(**line["utterances_a_s"])
        batches = ", ".join(f"{k} {v:.1f}" for k, v in line["rows_a_batch"].items())
        cells.append(
            [
                str(line["callers"]),
                rate.text(2),
                line["p50_s"],
                line["p95_s"],
                rate.median / sequence_a_s,
                _percent(line["busy"]),
                batches,
            ]
        )
    columns = ["callers", "utterances/s", "p50 s", "p95 s", "over the sequence", "kernels"]
    return Table(
        "The graph, utterances of 5 s, all models in one process", [*columns, "rows a batch"], cells
    )


def cosines(raw: Mapping[str, Any]) -> Table:
    return Table(
        "ECAPA-TDNN: the least cosine to its float32 on the CPU, clips of 0.5 to 6 s",
        ["variant", "cosine"],
        [
            [name, f"{cosine:.7f}"]
            for name, cosine in raw.get("least_cosine_to_float32_on_the_cpu", {}).items()
        ],
    )


def parts_table(
    found: Mapping[str, Found], took_s: Mapping[str, float], skipped: Mapping[str, str]
) -> Table:
    cells: list[list[Cell]] = [
        [name, f"{seconds:.0f}", _megabytes(found[name].peak_bytes), skipped.get(name, "done")]
        for name, seconds in took_s.items()
    ]
    cells += [[name, None, None, why] for name, why in skipped.items() if name not in took_s]
    return Table("Parts", ["part", "s", "most memory, MB", "outcome"], cells)


def findings(rows: Sequence[Row], in_graph: Mapping[str, Any]) -> list[str]:
    """Tell ratios of this run; a sentence only where its rows were measured."""
    found = [*_ecapa_findings(rows)]
    for model, of_model in _by_model(rows):
        variant = of_model[0].variant
        same = [row for row in of_model if (row.variant, row.what) == (variant, of_model[0].what)]
        least, most = same[0], same[-1]
        if model != ECAPA and most.batch_size > least.batch_size:
            found.append(
                f"{model} ({variant}): a batch of {most.batch_size} gives "
                f"{most.items_a_s / least.items_a_s:.1f} times the items/s of single ones; kernels "
                f"run {_percent(least.busy)} of the time alone and {_percent(most.busy)} batched."
            )
    found += _beside_the_cpu(rows)
    if in_graph.get("callers"):
        sequence_a_s = 1 / statistics.median(in_graph["sequence_s"])
        found += [
            f"The graph at {line['callers']} callers: "
            f"{line['utterances_a_s']['median'] / sequence_a_s:.2f} times the utterances/s of the "
            f"same models called in sequence; kernels run {_percent(line['busy'])} of the time."
            for line in in_graph["callers"]
        ]
    return found


def _beside_the_cpu(rows: Sequence[Row]) -> list[str]:
    """Compare the models that ran on both."""
    on_cpu = {(row.model, row.batch_size): row for row in rows if row.on == "cpu"}
    found = []
    for row in (row for row in rows if row.on == "cuda"):
        same, alone = on_cpu.get((row.model, row.batch_size)), on_cpu.get((row.model, 1))
        if same is None or alone is None:
            continue
        said = (
            f"{row.model}, {row.batch_size} at a time: {row.items_a_s:,.0f} items/s on CUDA, "
            f"{row.items_a_s / same.items_a_s:.1f} times those of the CPU"
        )
        if row.batch_size > 1:
            said += f", {row.items_a_s / alone.items_a_s:.1f} times those of the CPU one at a time"
        found.append(f"{said}.")
    return found


def _ecapa_findings(rows: Sequence[Row]) -> list[str]:
    points = {(r.variant, r.batch_size, r.what): r for r in rows if r.model == ECAPA}
    found = []
    batch = [r for k, r in points.items() if k[1:] == (TODAY_BATCH_SIZE, "1 s")]
    if batch:
        best = min(batch, key=lambda row: row.wall_ms.median)
        said_ms = TODAY_BATCH_MS["cuda"][TODAY_BATCH_SIZE]
        found.append(
            f"ECAPA-TDNN, {TODAY_BATCH_SIZE} clips of 1 s: {said_ms / best.wall_ms.median:.0f} "
            f"times faster than today's service says of itself ({best.variant})."
        )
    for batch_size, what in ((1, "1 s"), (32, "1 s"), (8, "5 s"), (128, "10 s")):
        for one, other in (
            ("float32, launched", "float32, captured"),
            ("float16, launched", "float16, captured"),
            ("float32, launched", "float16, launched"),
        ):
            a, b = points.get((one, batch_size, what)), points.get((other, batch_size, what))
            if a and b:
                found.append(
                    f"ECAPA-TDNN, {batch_size} x {what}: {other} takes "
                    f"{b.wall_ms.median / a.wall_ms.median:.2f} of the time of {one}."
                )
    return found


def charts(rows: Sequence[Row]) -> list[Chart]:
    clips = [row for row in rows if (row.model, row.what) == (ECAPA, "1 s")]
    series = [
        Series.of(variant, {r.batch_size: r.wall_ms for r in clips if r.variant == variant})
        for variant in dict.fromkeys(row.variant for row in clips)
    ]
    if not series:
        return []
    said = TODAY_BATCH_MS["cuda"]
    today_ms = [float(ms) for ms in said.values()]
    series.append(Series("today's service, as it says", [*said], today_ms))
    title = "ECAPA-TDNN, clips of 1 s"
    return [Chart(title, "clips in the batch", "ms", series, "log", "log")]


def _by_model(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    of: dict[str, list[Row]] = {}
    for row in rows:
        of.setdefault(row.model, []).append(row)
    return list(of.items())


def _megabytes(size_bytes: int | None) -> str | None:
    return None if size_bytes is None else f"{size_bytes / 1e6:,.0f}"


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.0%}"
