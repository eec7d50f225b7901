"""Build the image with buildah, from a base of Debian's own packages."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BASE = "localhost/debian:bookworm-slim"
IMAGE = "localhost/dragoman"
# Where this machine's pip finds packages, if it has been told so: the build may use the same.
PIP_FILES = ("/etc/pip.conf", "/etc/xdg/pip", "/opt/wheels", "/opt/pypi", "/opt/pypi-more")
# Certificates that this machine trusts beside Debian's, as behind a proxy: the base trusts them.
OWN_CERTIFICATES = Path("/usr/local/share/ca-certificates")


class Builder:
    """Run buildah with a store of its own below a folder."""

    def __init__(self, project: Path, folder: Path) -> None:
        self._project = project
        self._folder = folder
        self._base = folder / "base"

    def make_base(self) -> None:
        """Make the base image once, where there is none."""
        if self._run("images", "--quiet", BASE, check=False):
            return
        if not self._base.exists():
            unfinished = self._folder / "base.part"
            self._folder.mkdir(parents=True, exist_ok=True)
            subprocess.run(
                ["debootstrap", "--variant=minbase", "bookworm", str(unfinished)], check=True
            )
            unfinished.rename(self._base)
        container = self._run("from", "scratch")
        self._run("copy", "--quiet", container, str(self._base), "/")
        if OWN_CERTIFICATES.exists():
            self._run("copy", "--quiet", container, str(OWN_CERTIFICATES), str(OWN_CERTIFICATES))
        self._run("commit", "--quiet", container, BASE)
        self._run("rm", container)

    def build(self) -> None:
        """Build the project's Dockerfile; its output goes to this terminal."""
        volumes = [each for each in PIP_FILES if Path(each).exists()]
        command = [
            *self._command("build"),
            "--isolation=chroot",
            "--format=docker",  # whose images have health checks
            "--pull-never",
            *(f"--volume={each}:{each}:ro" for each in volumes),
            f"--build-arg=BASE={BASE}",
            "--build-arg=TORCH_INDEX_CPU=",  # as pip is configured here
            f"--file={self._project / 'deploy' / 'Dockerfile'}",
            f"--tag={IMAGE}",
            str(self._project),
        ]
        subprocess.run(command, check=True)

    @contextmanager
    def mounted(self) -> Iterator[Path]:
        """Give the folder of the image's files."""
        container = self._run("from", "--pull-never", IMAGE)
        try:
            yield Path(self._run("mount", container))
        finally:
            self._run("rm", container)

    def _command(self, verb: str) -> list[str]:
        store = self._folder / "store"
        at = [f"--root={store / 'root'}", f"--runroot={store / 'run'}", "--storage-driver=vfs"]
        return ["buildah", *at, verb]

    def _run(self, verb: str, *arguments: str, check: bool = True) -> str:
        command = [*self._command(verb), *arguments]
        done = subprocess.run(command, check=check, stdout=subprocess.PIPE, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""
