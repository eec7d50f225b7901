"""Run flows of the page: every function ``flow_...`` of the modules here that end in ``_flows``.

    python -m tests.page.browser ASKED [FLOW ...]

A flow that raises has failed, and so has one whose page wrote an error to the console, raised one,
or asked another host for something. A line of JSON is printed for each.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.page.browser.visit import Visit, launched

PORTUGUESE = ("live_speaks",)  # flows that, on real models, hear what is to be spoken in English


def flows() -> Iterator[tuple[str, Callable[[Visit], str | None]]]:
    """Return each flow by its name."""
    for path in sorted(Path(__file__).parent.glob("*_flows.py")):
        module = importlib.import_module(f"tests.page.browser.{path.stem}")
        for name, function in vars(module).items():
            if name.startswith("flow_"):
                yield name.removeprefix("flow_"), function


def main() -> None:
    asked, only = json.loads(sys.argv[1]), sys.argv[2:]
    failed = False
    with sync_playwright() as playwright:
        for name, flow in flows():
            if only and name not in only:
                continue
            wav = asked["portuguese_wav" if name in PORTUGUESE and asked["is_real"] else "wav"]
            browser = launched(playwright, wav)
            visit = Visit(browser, asked)
            try:
                said = flow(visit) or ""
                wrong = visit.troubles()
            except Exception:
                said, wrong = "", [traceback.format_exc(limit=-2), *visit.troubles()]
            finally:
                visit.close()
                browser.close()
            failed |= bool(wrong)
            row = {"flow": name, "ok": not wrong, "said": said, "wrong": wrong}
            print(json.dumps(row, ensure_ascii=False), flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
