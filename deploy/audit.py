"""Known vulnerabilities of every version that the install is tested with: ``make audit``.

Runs pip-audit in an environment of its own over ``constraints.txt`` and
``requirements-weights.txt``. Exit codes: 0 each was audited and none is known to be vulnerable; 1
some are, or some were skipped; 3 nothing was audited, as no source of advisories was reached.
pip-audit itself calls it a success where it has skipped everything.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LISTS = ("constraints.txt", "requirements-weights.txt")
PIP_AUDIT = "pip-audit==2.10.1"
CLEAN, WRONG, NOT_AUDITED = 0, 1, 3
SHOWN = 3  # of those that were skipped


def verdict(report: dict[str, Any]) -> tuple[int, list[str]]:
    """The exit code, and what to say, of pip-audit's JSON."""
    every = report["dependencies"]
    skipped = [each for each in every if "skip_reason" in each]
    found = [
        f"{each['name']} {each['version']}: {one['id']}, fixed in "
        f"{', '.join(one['fix_versions']) or 'no version'}"
        for each in every
        for one in each.get("vulns", [])
    ]
    reasons = [f"{each['name']}: {each['skip_reason']}" for each in skipped]
    if len(skipped) == len(every):
        return NOT_AUDITED, ["not audited: no source of advisories knows a package", *reasons[:1]]
    if found or skipped:
        several = f"{len(skipped)} of {len(every)} packages were not audited"
        return WRONG, [*found, *([several, *reasons[:SHOWN]] if skipped else [])]
    return CLEAN, [f"{len(every)} packages audited: none is known to be vulnerable"]


def audit(command: list[str]) -> tuple[int, list[str]]:
    """The same, of a command that is pip-audit."""
    lists = [argument for name in LISTS for argument in ("--requirement", str(ROOT / name))]
    options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    ran = subprocess.run([*command, *options, *lists], capture_output=True, text=True)
    try:
        return verdict(json.loads(ran.stdout))
    except ValueError:
        return NOT_AUDITED, ["not audited: pip-audit gave no report", *ran.stderr.splitlines()[-1:]]


def main() -> int:
    """Audit with the command that is named, or with a pip-audit that is installed for it."""
    if sys.argv[1:]:
        code, lines = audit(sys.argv[1:])
    else:
        with tempfile.TemporaryDirectory(prefix="dragoman-audit-") as folder:
            venv.create(folder, with_pip=True)
            python = str(Path(folder, "bin", "python"))
            install = [python, "-m", "pip", "install", "--quiet", PIP_AUDIT]
            if subprocess.run(install).returncode:
                code, lines = NOT_AUDITED, [f"not audited: {PIP_AUDIT} could not be installed"]
            else:
                code, lines = audit([python, "-m", "pip_audit"])
    print("\n".join(lines))  # noqa: T201
    return code


if __name__ == "__main__":
    sys.exit(main())
