"""torchaudio's native libraries: removed where they keep it from being imported, else not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "deploy" / "mend_torchaudio.py"
BROKEN = 'raise OSError("libcudart.so.13: cannot open shared object file")'
PACKAGES = {"imports": ("", True), "does not import": (BROKEN, False)}


def mend(folder: Path, code: str) -> tuple[Path, str]:
    """Beside a torchaudio of that code; its library, and what was said."""
    library = folder / "torchaudio" / "lib" / "libtorchaudio.so"
    library.parent.mkdir(parents=True)
    library.touch()
    (folder / "torchaudio" / "__init__.py").write_text(code)
    environment = {"PYTHONPATH": str(folder)}
    said = subprocess.check_output([sys.executable, SCRIPT], env=environment, text=True)
    return library, said


@pytest.mark.parametrize(("code", "stays"), PACKAGES.values(), ids=PACKAGES)
@pytest.mark.process
def test_libraries_stay_where_torchaudio_imports(tmp_path: Path, code: str, stays: bool) -> None:
    library, said = mend(tmp_path, code)
    assert (library.exists(), said == "") == (stays, stays)


@pytest.mark.process
def test_what_is_removed_is_said_with_the_reason(tmp_path: Path) -> None:
    _, said = mend(tmp_path, BROKEN)
    assert "removed torchaudio's libtorchaudio.so: OSError: libcudart.so.13" in said
