"""The first process of a node: mounts what is the node's own, and reaps its orphans.

Its argument is the checkout, which all nodes share, wherever it lies.

It ends when its standard input does, and the kernel ends every process of the node with it.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from pathlib import Path

# What is below these is the node's own: memory that processes share, and temporary files.
OWN = {"/dev/shm": "400m", "/tmp": "400m"}
HOME = "/tmp/home"
LOOK_S = 0.5  # between looks for orphans


def main() -> None:
    mount_own(Path(sys.argv[1]))
    Path(HOME).mkdir(mode=0o700)
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], LOOK_S)[0]:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def mount_own(checkout: Path) -> None:
    """Mount the node's own places, and the checkout anew, which may lie in one of them."""
    held = os.open(checkout, os.O_RDONLY | os.O_DIRECTORY)
    for place, size in OWN.items():
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "node", place], check=True)
    checkout.mkdir(parents=True, exist_ok=True)
    bind = ["mount", "--no-canonicalize", "--bind", f"/proc/self/fd/{held}", str(checkout)]
    subprocess.run(bind, check=True, pass_fds=[held])
    os.close(held)


if __name__ == "__main__":
    main()
