"""Glossaries in the client: their calls, files and commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from dragoman_client.glossary_files import read_glossary
from tests.support import fake_api
from tests.support.fake_api import Ask, ok, serving
from tests.unit.client.dragoman import run

DEED = {"term": "deed", "language": "en", "translations": {"pt": "escritura"}}
WHOLE = {**DEED, "sounds": {}, "case_sensitive": False}
LISTED = {
    "id": "gloss_1",
    "object": "glossary",
    "name": "legal",
    "languages": ["en", "pt"],
    "term_count": 1,
    "created_at": 7,
}
KEPT = {**LISTED, "terms": [WHOLE]}
ROWS = {"translations": [], "timings": fake_api.TIMINGS}


def body(request: httpx.Request) -> Any:
    return json.loads(request.content)


async def test_a_glossary_is_added_listed_shown_and_deleted(ask: Ask) -> None:
    server = serving(ok(KEPT), ok({"data": [LISTED]}), ok(KEPT), ok({"deleted": True}))
    kept = await ask(server, "add_glossary", "legal", [DEED])
    assert (kept.id, kept.terms[0].translations) == ("gloss_1", {"pt": "escritura"})
    (listed,) = await ask(server, "glossaries")
    assert (listed.name, listed.terms) == ("legal", ())
    assert (await ask(server, "glossary", "gloss_1")) == kept
    await ask(server, "delete_glossary", "gloss_1")
    assert [(each.method, each.url.path) for each in server.requests] == [
        ("POST", "/v1/glossaries"),
        ("GET", "/v1/glossaries"),
        ("GET", "/v1/glossaries/gloss_1"),
        ("DELETE", "/v1/glossaries/gloss_1"),
    ]
    assert body(server.requests[0]) == {"name": "legal", "terms": [DEED]}


@pytest.mark.parametrize("glossary", ["gloss_1", {"terms": [DEED]}], ids=["id", "inline"])
async def test_calls_send_it(ask: Ask, glossary: Any) -> None:
    server = serving(ok(ROWS), ok(fake_api.SPEECH), ok(fake_api.TRANSCRIPTION))
    await ask(server, "translate_text", "A deed.", "en", "pt", glossary=glossary)
    assert body(server.requests[-1])["glossary"] == glossary
    sent = glossary if isinstance(glossary, str) else json.dumps(glossary, separators=(",", ":"))
    await ask(server, "translate_speech", b"sound", "pt", glossary=glossary)
    assert server.fields()["glossary"] == sent
    await ask(server, "transcribe", b"sound", glossary=glossary)
    assert server.fields()["glossary"] == sent


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("legal.csv", "en,pt\ndeed,escritura\n", id="csv"),
        pytest.param("legal.tsv", "\ufeffen\tpt\ndeed\tescritura\n", id="tsv-with-a-mark"),
        pytest.param("legal.csv", "en,pt,fr,case_sensitive\ndeed,escritura,,no\n", id="more"),
        pytest.param("legal.json", json.dumps([WHOLE]), id="a-list"),
        pytest.param("other.json", json.dumps({"name": "legal", "terms": [WHOLE]}), id="object"),
    ],
)
def test_a_file_is_read(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    assert read_glossary(tmp_path / name) == {"name": "legal", "terms": [WHOLE]}


def test_a_file_may_have_sounds(tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("en,pt,sound:pt,case_sensitive\nNiamh,Niamh,/niv/,yes\n")
    (term,) = read_glossary(tmp_path / "names.csv")["terms"]
    assert (term["sounds"], term["case_sensitive"]) == ({"pt": "/niv/"}, True)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.txt", "en,pt", "must end in"),
        ("a.csv", "", "must name languages"),
        ("a.csv", "en,pt\na,b,c\n", "row 2 has more fields"),
        ("a.json", "{", "is no JSON"),
        ("a.json", "7", "must hold a list"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, name: str, text: str, why: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=why):
        read_glossary(tmp_path / name)


def test_the_commands_keep_list_show_and_delete(tmp_path: Path) -> None:
    (tmp_path / "legal.csv").write_text("en,pt\ndeed,escritura\n")
    added = run(serving(ok(KEPT)), "glossary", "add", tmp_path / "legal.csv")
    assert added.stdout == "gloss_1\n"
    listed = run(serving(ok({"data": [LISTED]})), "glossary", "list")
    assert listed.stdout.splitlines()[-1].split("\t") == ["gloss_1", "legal", "en pt", "1"]
    shown = run(serving(ok(KEPT)), "glossary", "show", "gloss_1")
    assert shown.stdout.splitlines() == ["en\tpt", "deed\tescritura"]
    server = serving(ok({"deleted": True}))
    assert run(server, "glossary", "rm", "gloss_1").exit_code == 0
    assert server.requests[-1].method == "DELETE"


def test_the_option_takes_an_id_or_a_file(tmp_path: Path, wav: Path) -> None:
    (tmp_path / "legal.csv").write_text("en,pt\ndeed,escritura\n")
    for named, sent in (
        ("gloss_1", "gloss_1"),
        (tmp_path / "legal.csv", {"name": "legal", "terms": [WHOLE]}),
    ):
        server = serving(ok(ROWS))
        run(server, "text", "A deed.", "--to", "pt", "--glossary", named)
        assert body(server.requests[-1])["glossary"] == sent
    server = serving(ok(fake_api.SPEECH))
    run(server, "translate", wav, "--to", "pt", "--glossary", "gloss_1")
    assert server.fields()["glossary"] == "gloss_1"


def test_a_file_that_is_not_there_is_told() -> None:
    refused = run(serving(), "text", "A deed.", "--to", "pt", "--glossary", "missing.csv")
    assert refused.exit_code == 2
    assert "missing.csv" in refused.stderr
