"""The table of live sessions on the GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.results import Table


def table(lines: Sequence[Mapping[str, Any]]) -> Table:
    return Table.of(
        "Live sessions with the GPU profile, text alone; random weights",
        lines,
        {
            "sessions": lambda line: line["sessions"],
            "refused": lambda line: line["refused"],
            "broken": lambda line: line["broken"],
            "transcript p50 s": lambda line: line["transcript_p50_s"],
            "p95 s": lambda line: line["transcript_p95_s"],
            "translation p50 s": lambda line: line["translation_p50_s"],
            "p95 s ": lambda line: line["translation_p95_s"],
            "pieces a batch, asr": lambda line: line["asr_batch"],
            "nmt": lambda line: line["nmt_batch"],
            "ingress, of a core": lambda line: f"{line['ingress_cpu']:.0%}",
        },
    )
