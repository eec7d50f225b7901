"""The page on engines, its networks that are no speech: exported, served and asked as it says."""

from __future__ import annotations

import asyncio
import json
import re
import runpy
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from deployments.config.files import load
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from models.contract.checks import check_engine
from models.registry import find_engine
from tests.support.engines_page import PAGE, write_files
from tests.support.local import fake_fleet
from tests.support.sockets import serving

PRINTED = "[[335.0], [165.0]]\n[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]] [1, 2]\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the page, and what its scripts export."""
    made = tmp_path_factory.mktemp("networks")
    write_files(made)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of both exporters
        for script in ("export_flats.py", "export_tags.py"):
            runpy.run_path(str(made / script), run_name="__main__")
    return made


@pytest.fixture
async def url(folder: Path) -> AsyncIterator[str]:
    config = load(folder / "networks.yaml").applications[0].args
    app = asgi_app(await fake_fleet(config), config, Admission(64))
    async with serving(app) as url:
        yield url.rstrip("/")


@pytest.mark.parametrize("name", ["flats", "tags"])
def test_a_network_of_the_page_keeps_the_contract(folder: Path, name: str) -> None:
    model = load(folder / "networks.yaml").applications[0].args.models[name]
    checks = check_engine(find_engine(model.engine), model.settings(name))
    assert [check for check in checks if check.status == "failed"] == []


async def test_the_command_of_the_page_is_answered(url: str) -> None:
    (sent,) = re.findall(r"flats/infer -d '(.*?)'", PAGE.read_text(), re.DOTALL)
    form = {"content-type": "application/x-www-form-urlencoded"}  # as curl calls it
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{url}/v2/models/flats/infer", content=sent, headers=form)
    assert answer.status_code == 200, answer.text
    assert json.loads(answer.text)["outputs"][0]["data"] == [335, 165]


async def test_the_script_of_the_page_prints_what_the_page_says(folder: Path, url: str) -> None:
    asking = folder / "ask_here.py"
    asking.write_text(
        (folder / "ask_networks.py").read_text().replace("127.0.0.1:8000", url.partition("//")[2])
    )
    command = [sys.executable, str(asking)]
    done = await asyncio.to_thread(
        lambda: subprocess.run(command, capture_output=True, text=True, check=False)
    )
    assert (done.stdout, done.stderr) == (PRINTED, "")
    assert all(line in PAGE.read_text() for line in PRINTED.splitlines())
