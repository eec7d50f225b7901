"""The error tree: its docstring shows it, and each class survives between processes."""

from __future__ import annotations

import pickle

import pytest

from models import errors
from models.errors import CallerError, DragomanError, InternalError, StartupError


def tree(base: type[Exception], depth: int = 0) -> list[tuple[type[Exception], int]]:
    """``base`` and the classes of ``models.errors`` below it, each with its depth, as written."""
    ours = [cls for cls in base.__subclasses__() if cls.__module__ == errors.__name__]
    return [(base, depth), *(row for cls in ours for row in tree(cls, depth + 1))]


def documented() -> list[tuple[str, int]]:
    """The names in the module docstring's tree, with their depths."""
    lines = (errors.__doc__ or "").splitlines()[1:]
    rows = [(line.lstrip("│├└─ ").split()[0], line) for line in lines if line.strip()]
    return [(name, line.index(name) // len("├── ")) for name, line in rows]


PUBLIC = [cls for cls, _ in tree(DragomanError) if issubclass(cls, DragomanError)]
STARTUP = [cls for cls, _ in tree(StartupError)]


def test_the_docstring_shows_the_tree() -> None:
    classes = [*tree(DragomanError), *tree(StartupError)]

    assert documented() == [(cls.__name__, depth) for cls, depth in classes]


@pytest.mark.parametrize("cls", PUBLIC, ids=lambda cls: cls.__name__)
def test_a_public_error_survives_between_processes(cls: type[DragomanError]) -> None:
    copy = pickle.loads(pickle.dumps(cls("too loud", param="file")))

    assert (type(copy), copy.message, copy.param, str(copy)) == (
        cls,
        "too loud",
        "file",
        "too loud",
    )


@pytest.mark.parametrize("cls", STARTUP, ids=lambda cls: cls.__name__)
def test_a_startup_error_survives_between_processes(cls: type[StartupError]) -> None:
    copy = pickle.loads(pickle.dumps(cls("no such folder")))

    assert (type(copy), str(copy)) == (cls, "no such folder")


def test_a_code_names_one_class() -> None:
    codes = [cls.code for cls in PUBLIC if cls not in (CallerError, InternalError)]

    assert len(set(codes)) == len(codes)


def test_startup_errors_are_no_public_errors() -> None:
    assert not set(STARTUP) & set(PUBLIC)
