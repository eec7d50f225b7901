"""Debian's nginx on this machine before the ingresses: it goes on to the next where one fails."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from deployments.serve.ports import free_port

START_S = 20.0
# Passive checks, which are all that this nginx has. An ingress that drains refuses with 503 and has
# done nothing yet, and no answer here changes anything: each request may be asked again elsewhere.
CONF = """
user root; # its temporary files lie in a folder of root alone
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  upstream dragoman {{
{servers}
    keepalive 64;
  }}
  server {{
    listen {address};
    client_max_body_size 200m;
    location / {{
      proxy_pass http://dragoman;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host localhost;
      proxy_buffering off;
      proxy_connect_timeout 1s;
      proxy_read_timeout {read_s}s;
      proxy_next_upstream error timeout http_502 http_503 non_idempotent;
      proxy_next_upstream_tries {tries};
    }}
  }}
}}
"""


class Nginx:
    """Nginx for the length of a block.

    Args:
        host: its own address.
        upstream: ``host:port`` of each ingress.
        read_s: after which an ingress that says nothing counts as failed.
    """

    def __init__(self, host: str, upstream: Sequence[str], read_s: int = 5) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="dragoman-nginx-"))
        address = f"{host}:{free_port()}"
        self.url = f"http://{address}"
        servers = "\n".join(f"    server {each} max_fails=1 fail_timeout=5s;" for each in upstream)
        conf = self._folder / "nginx.conf"
        conf.write_text(
            CONF.format(
                folder=self._folder,
                servers=servers,
                address=address,
                read_s=read_s,
                tries=len(upstream),
            )
        )
        self._process = subprocess.Popen(["nginx", "-c", str(conf)], stderr=subprocess.DEVNULL)
        until = time.monotonic() + START_S
        while not (self._folder / "pid").exists():
            assert time.monotonic() < until, "nginx does not start"
            time.sleep(0.05)

    def __enter__(self) -> Nginx:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(START_S)
        shutil.rmtree(self._folder, ignore_errors=True)
