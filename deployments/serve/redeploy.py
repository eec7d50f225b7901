"""Give a running server another configuration, through the dashboard of its Ray cluster.

``python -m deployments.serve.redeploy FILE --address HOST:PORT`` is run by ``dragoman deploy``. It
exits with 1 if the server refuses or does not answer.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
from collections.abc import Sequence

import ray


def deploy(config_path: str, address: str) -> int:
    """Send a configuration to the server of the Ray cluster at ``address``."""
    connected = ray.init(
        address=address, namespace="serve", log_to_driver=False, logging_level=logging.ERROR
    )
    if not connected.dashboard_url:
        raise ConnectionError("its dashboard, which takes configurations, is not there yet")
    command = [sys.executable, "-m", "ray.serve.scripts", "deploy", config_path]
    done = subprocess.run([*command, "--address", f"http://{connected.dashboard_url}"], check=False)
    return 1 if done.returncode else 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="deployments.serve.redeploy", description=__doc__)
    parser.add_argument("config")
    parser.add_argument("--address", required=True, help="of the Ray cluster")
    options = parser.parse_args(arguments)
    try:
        return deploy(options.config, options.address)
    except ConnectionError as error:
        sys.stderr.write(f"dragoman: no server at {options.address}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
