"""A process that watches itself as a replica does, and then behaves as it is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

from deployments.serve import watchdog

LOOK_S = 0.05
SLOW_S = 1.0  # many looks
HANGS_S = 600.0
COSTS = {"idle": None, "in a batch": 1.0, "in a larger batch": 1000.0}
COMPUTES = f"import time\nend = time.monotonic() + {SLOW_S}\nwhile time.monotonic() < end: pass"


def stops() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def computes() -> None:
    exec(COMPUTES)


def computes_below() -> None:
    """In a process of its own."""
    subprocess.run([sys.executable, "-S", "-c", COMPUTES], check=True)


def computes_beside() -> None:
    """On a thread of its own."""
    thread = threading.Thread(target=computes)
    thread.start()
    thread.join()


def rests() -> None:
    time.sleep(SLOW_S)


def hangs() -> None:
    """Until it is ended, however late the watchdog process gets a CPU."""
    time.sleep(HANGS_S)


def main(behaviour: str, batches_before: int, cost: float | None) -> None:
    watchdog.LEAST_S = 0.1
    dog = watchdog.Watchdog("m", "cpu", look_s=LOOK_S)
    for _ in range(batches_before):
        dog.begin(1.0)
        dog.end(1.0, 0.01)
    print(dog.process_pid, flush=True)
    if cost is not None:
        dog.begin(cost)
    behaviours = (stops, computes, computes_below, computes_beside, rests, hangs)
    {each.__name__: each for each in behaviours}[behaviour]()
    print("goes on", flush=True)
    dog.stop()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), COSTS[sys.argv[3]])
