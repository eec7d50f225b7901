"""Warnings about files that were not whole: few codes, and a sentence with each.

``audio_cut_short``       the file ends early
``audio_damaged``         parts could not be decoded, or one of several joined files
``audio_length_unknown``  the file does not mark its end, or states a wrong length
``audio_parts_skipped``   more files were joined than are taken
"""

from __future__ import annotations

from models.audio.ffmpeg import Outcome
from models.audio.formats import Ending
from models.types import AnswerWarning

CUT_SHORT, DAMAGED = "audio_cut_short", "audio_damaged"
LENGTH_UNKNOWN, PARTS_SKIPPED = "audio_length_unknown", "audio_parts_skipped"


class Damage:
    """Gathers the damage in the files of one upload: for each code the first case, and a count."""

    def __init__(self, name: str, parts: int) -> None:
        self._name, self._parts = name, parts
        self._messages: dict[str, list[str]] = {}

    def warnings(self) -> tuple[AnswerWarning, ...]:
        """Return one warning a code."""
        return tuple(
            AnswerWarning(code, first + (f" ({len(more)} more like it.)" if more else ""))
            for code, (first, *more) in self._messages.items()
        )

    def lost(self, number: int, why: str) -> None:
        """Record that nothing of a file could be decoded."""
        self._add(number, DAMAGED, why)

    def begins_late(self, stray_bytes: int) -> None:
        """Record that the first frame does not stand at the start."""
        message = (
            f"begins with {stray_bytes} bytes that are no sound: what came first may be missing"
        )
        self._add(1, DAMAGED, f"The {self._name} file {message}.")

    def skipped(self, taken: int) -> None:
        """Record that only the first files were taken."""
        message = f"More files were joined than are taken: the first {taken} were decoded."
        self._messages[PARTS_SKIPPED] = [message]

    def judge(self, number: int, outcome: Outcome, ending: Ending) -> None:
        """Record what is missing of a file that could be decoded."""
        name, decoded = self._name, f"{outcome.decoded_s:.2f} s"
        amount = f"the {decoded} that are there were decoded"
        if outcome.is_short:
            amount = f"{decoded} of {outcome.promised_s:.2f} s could be decoded"
        inside = outcome.failed - outcome.failed_last
        is_cut_off = outcome.is_short and not outcome.reaches_end and not inside
        ends_early = ending == "cut" or outcome.failed_last or is_cut_off
        if ends_early and not outcome.gave_up:
            self._add(number, CUT_SHORT, f"The {name} file ends early: {amount}.")
        if inside or outcome.gave_up or (outcome.is_short and not ends_early):
            stopped = "; too much of it gave no sound, and the rest was left" * outcome.gave_up
            self._add(number, DAMAGED, f"The {name} file is damaged: {amount}{stopped}.")
        if ending == "unmarked":
            message = f"The {name} file does not mark its end: {amount}."
            self._add(number, LENGTH_UNKNOWN, message)
        if ending == "misstated":
            message = f"The {name} file's header states a length that is not its own: {amount}."
            self._add(number, LENGTH_UNKNOWN, message)

    def _add(self, number: int, code: str, message: str) -> None:
        where = f"File {number} of {self._parts} that are joined: " if self._parts > 1 else ""
        self._messages.setdefault(code, []).append(where + message)
