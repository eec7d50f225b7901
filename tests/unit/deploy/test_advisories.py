"""The audit: nothing that was skipped is called clean."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[3] / "deploy" / "audit.py"
WELL = {"name": "a", "version": "1.0", "vulns": []}
BAD = {"name": "b", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}
SKIPPED = {"name": "c", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("packages", "code", "says"),
    [
        pytest.param([WELL], 0, "1 packages audited: none is known", id="clean"),
        pytest.param([WELL, BAD], 1, "b 2.0: PYSEC-1, fixed in 2.1", id="vulnerable"),
        pytest.param([WELL, SKIPPED], 1, "1 of 2 packages were not audited", id="one skipped"),
        pytest.param([SKIPPED, SKIPPED], 3, "not audited: no source", id="all skipped"),
        pytest.param([], 3, "not audited: no source", id="none"),
        pytest.param(None, 3, "not audited: pip-audit gave no report", id="no report"),
    ],
)
@pytest.mark.process
def test_what_is_found_is_said(
    tmp_path: Path, packages: list[dict[str, Any]] | None, code: int, says: str
) -> None:
    report = "" if packages is None else json.dumps({"dependencies": packages})
    stand_in = tmp_path / "pip_audit.py"
    stand_in.write_text(f"print({report!r})")
    command = [sys.executable, str(SCRIPT), sys.executable, str(stand_in)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, says in ran.stdout) == (code, True)
    assert code == 0 or "none is known" not in ran.stdout
