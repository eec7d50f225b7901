"""What strangers do to a real server, and what of it stays."""

from __future__ import annotations

from bench.attacks import uploads


def test_uploads_that_are_given_up_leave_nothing_in_memory() -> None:
    fallen = [row for row in uploads.measure() if not row.held]
    assert not fallen, fallen
