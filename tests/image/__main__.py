"""Build the image with buildah, start it with a read-only root, and run the main job in it.

    python -m tests.image [--folder build/image]

It needs root, buildah and debootstrap (Debian's), and no daemon: the base is Debian's own packages
instead of a registry's image, and commands of the build run in a chroot. About fifteen minutes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.image.building import Builder
from tests.image.running import check_server, check_without_a_key

ROOT = Path(__file__).parents[2]
TOOLS = ("buildah", "debootstrap", "unshare", "chroot")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "image")
    folder: Path = parser.parse_args().folder.resolve()
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        sys.exit(f"not run: {', '.join(missing)} is not installed (Debian has it)")
    if os.geteuid() != 0:
        sys.exit("not run: a chroot needs root")
    builder = Builder(ROOT, folder)
    builder.make_base()
    builder.build()
    with builder.mounted() as root:
        size = subprocess.check_output(["du", "-sm", "--one-file-system", str(root)], text=True)
        print(f"the image has {int(size.split()[0]):,} MB")
        check_without_a_key(root)
        check_server(root, folder / "state", ROOT)
    print("the image was built, started, asked and stopped")


if __name__ == "__main__":
    main()
