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
TEXT = r'"((?:[^"\\]|\\.)*)"'
ENTRY = re.compile(rf"^\t(\w+): \[\s*{TEXT},\s+{TEXT},?\s*\],$", re.MULTILINE)
CALL = re.compile(r"\bt\(\s*(?:[^\"`()]*\? *|)(\"[^\"]+\"|`[^`]+`)")
MAKES_MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser"
)


def named(path: Path) -> str:
    return path.relative_to(STATIC).as_posix()


def table(path: Path) -> Mapping[str, tuple[str, str]]:
    """Return the strings of a table, in English and in Portuguese, as they are asked for."""
    found = ENTRY.findall(path.read_text(encoding="utf-8"))
    return {f"{path.stem}.{key}": (english, portuguese) for key, english, portuguese in found}


def strings() -> list[str]:
    return [key for path in TABLES for key in table(path)]


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


@pytest.mark.parametrize("path", TABLES, ids=named)
def test_a_string_has_the_same_fields_in_both_languages(path: Path) -> None:
    fields = {
        key: [sorted(re.findall(r"\{\w+\}", text)) for text in texts]
        for key, texts in table(path).items()
    }
    assert {key: found for key, found in fields.items() if found[0] != found[1]} == {}


@pytest.mark.parametrize("path", TABLES, ids=named)
def test_a_table_is_read_whole_here_and_in_both_languages(path: Path) -> None:
    """A string with a text alone, say, would pass the other tests unseen."""
    keys = re.findall(r"^\t(\w+):", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert keys
    assert list(table(path)) == [f"{path.stem}.{key}" for key in keys]


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
