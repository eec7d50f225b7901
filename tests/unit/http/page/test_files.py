"""The page's files by themselves: small, ours alone, without inline code, and in both languages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from deployments.http.page.routes import MEDIA_TYPES, STATIC

MAX_BYTES, MAX_LINES = 150_000, 300
SCRIPTS = sorted(STATIC.rglob("*.js"))
TABLES = sorted((STATIC / "js" / "strings").glob("*.js"))
ALL = sorted(path for path in STATIC.rglob("*") if path.is_file())
ENTRY = re.compile(r'^ {4}"([^"]+)":\s+"((?:[^"\\]|\\.)*)",$', re.MULTILINE)
CALL = re.compile(r"\bt\(\s*(?:[^\"`()]*\? *|)(\"[^\"]+\"|`[^`]+`)")
MAKES_MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser"
)


def named(path: Path) -> str:
    return path.relative_to(STATIC).as_posix()


def table(path: Path) -> Mapping[str, Mapping[str, str]]:
    """Return the strings of a table, by language."""
    parts = re.split(r"^ {2}(en|pt): \{$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {
        language: dict(ENTRY.findall(text))
        for language, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def strings() -> dict[str, str]:
    return {key: text for path in TABLES for key, text in table(path)["en"].items()}


def test_the_whole_page_is_light() -> None:
    assert sum(path.stat().st_size for path in ALL) < MAX_BYTES


def test_every_file_is_one_that_the_server_sends() -> None:
    assert {path.suffix for path in ALL} <= set(MEDIA_TYPES)


@pytest.mark.parametrize("path", ALL, ids=named)
def test_no_file_names_another_host(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"(?:https?:)?//[\w-]+\.[\w.]+", text) == []
    assert "@import" not in text


def test_no_code_and_no_style_stands_in_the_page() -> None:
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]*\ssrc=)", page) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", page) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_no_script_makes_markup_or_code_of_text(path: Path) -> None:
    assert MAKES_MARKUP.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_a_script_says_what_it_is_for_and_fits(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("// ")
    assert len(lines) <= MAX_LINES


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_what_a_script_imports_is_there(path: Path) -> None:
    found = re.findall(r"""(?:from|import)\s*\(?\s*["'](\.[^"'$]+)["']""", path.read_text())
    assert [name for name in found if not (path.parent / name).is_file()] == []


def test_every_tab_has_its_files() -> None:
    main = (STATIC / "js" / "main.js").read_text(encoding="utf-8")
    found = re.search(r"^const TABS = \[(.*)\];$", main, re.MULTILINE)
    assert found is not None
    tabs = re.findall(r'"(\w+)"', found[1])
    assert {path.stem for path in (STATIC / "js" / "tabs").glob("*.js")} == set(tabs)
    for tab in tabs:
        assert (STATIC / "js" / "strings" / f"{tab}.js").is_file()
        assert (STATIC / "css" / f"{tab}.css").is_file()


@pytest.mark.parametrize("path", TABLES, ids=named)
def test_every_string_is_there_in_both_languages(path: Path) -> None:
    of = table(path)
    assert of["en"]
    assert set(of["en"]) == set(of["pt"])
    assert [key for key in of["en"] if not key.startswith(f"{path.stem}.")] == []
    fields = {
        language: {key: sorted(re.findall(r"\{\w+\}", text)) for key, text in texts.items()}
        for language, texts in of.items()
    }
    assert fields["en"] == fields["pt"]


@pytest.mark.parametrize("path", TABLES, ids=named)
def test_a_table_is_read_whole_here(path: Path) -> None:
    """A string over several lines, say, would pass the other tests unseen."""
    count = sum(map(len, table(path).values()))
    assert count == len(re.findall(rf'"{path.stem}\.\w+":', path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_every_string_that_is_asked_for_is_there(path: Path) -> None:
    known = strings()
    missing = []
    for quoted in CALL.findall(path.read_text(encoding="utf-8")):
        key = quoted[1:-1].partition("${")[0]
        exact = "${" not in quoted
        if not (key in known if exact else any(name.startswith(key) for name in known)):
            missing.append(quoted)
    assert missing == []


def test_no_string_is_left_over() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in SCRIPTS if path not in TABLES)
    made = set(re.findall(r"`(\w+\.\w*)\$\{", text))
    left = [
        key
        for key in strings()
        if f'"{key}"' not in text and not any(key.startswith(prefix) for prefix in made)
    ]
    assert left == []
