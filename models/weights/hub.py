"""Finds snapshots of the Hugging Face hub: in its cache if they are whole, else by download."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from models.errors import WeightsError
from models.weights import cards
from models.weights.cached_files import digest

_SHA1_DIGITS, _SHA256_DIGITS = 40, 64  # in hex
_logger = logging.getLogger("dragoman")


def snapshot(reference: str, files: Sequence[str] = (), *, ask_hub: bool = False) -> Path:
    """Return the folder of ``REPO@REVISION``, with the files that fit ``files`` or with all.

    The hub is asked only for files that the cache lacks, so that a start needs no network once the
    weights are there. A commit never changes. A branch or tag stays where it was when it was
    fetched, until ``ask_hub``. A broken transfer is resumed; if the process was ended, its whole
    files are kept. A file that was damaged since is downloaded again.

    Args:
        reference: a repository and its revision: a commit, tag or branch.
        files: patterns as of ``fnmatch``; a ``*`` spans folders, too.
        ask_hub: ask whether a branch or tag has moved.

    Raises:
        WeightsError: malformed; or it is not in the cache, and cannot be had from the hub.
    """
    from huggingface_hub import constants

    found = None if ask_hub and not constants.HF_HUB_OFFLINE else in_cache(reference, files)
    if found is None and constants.HF_HUB_OFFLINE:
        raise WeightsError(
            f"hf:{reference}: not whole in {constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE "
            "forbids to ask the hub; run `dragoman fetch CONFIG` with network"
        )
    folder = found or _download(reference, files)
    damaged = _damaged(folder, files)
    if not damaged:
        return folder
    if constants.HF_HUB_OFFLINE:
        raise WeightsError(
            f"hf:{reference}: {damaged[0]} is damaged, and HF_HUB_OFFLINE forbids to ask the hub"
        )
    for path in damaged:
        _logger.warning("%s is damaged: it is downloaded again", path)
        path.resolve().unlink(missing_ok=True)
        path.unlink()
    return _download(reference, files)


def in_cache(reference: str, files: Sequence[str] = ()) -> Path | None:
    """Return the folder of ``REPO@REVISION`` if the cache has all its files, without the hub.

    Raises:
        WeightsError: malformed.
    """
    repository, revision = _named(reference)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    patterns = list(files) or None
    try:
        found = snapshot_download(
            repository, revision=revision, allow_patterns=patterns, local_files_only=True
        )
    except LocalEntryNotFoundError:
        return None
    except ValueError as error:  # an impossible name
        raise WeightsError(f"hf:{reference}: {error}") from error
    return Path(found)


def card_folder(reference: str) -> Path | None:
    """Return the folder of the model card of ``REPO@REVISION`` in the cache; None: it has none."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    repository, _, revision = reference.partition("@")
    try:
        found = try_to_load_from_cache(repository, cards.CARD_FILE, revision=revision or None)
    except HFValidationError:
        return None
    return Path(found).parent if isinstance(found, str) else None


def check_exists(reference: str, timeout_s: float) -> str | None:
    """Ask the hub whether there is such a repository and revision; return its card's licence.

    Raises:
        WeightsError: malformed, or the hub says that there is none.
        OSError: the hub cannot be asked.
    """
    repository, revision = _named(reference)
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    try:
        info = HfApi().model_info(repository, revision=revision, timeout=timeout_s)
    except (RepositoryNotFoundError, RevisionNotFoundError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(f"hf:{reference}: the hub has none ({reason})") from error
    except Exception as error:  # the hub's client raises errors of many libraries
        raise OSError(f"hf:{reference}: the hub cannot be asked: {error}") from error
    return cards.licence_of_card(info.card_data.to_dict()) if info.card_data else None


def _named(reference: str) -> tuple[str, str]:
    """Return the repository and the revision.

    Raises:
        WeightsError: malformed.
    """
    repository, _, revision = reference.partition("@")
    if not revision:
        raise WeightsError(f"hf:{reference}: name a revision, as in hf:{repository}@REVISION")
    return repository, revision


def _download(reference: str, files: Sequence[str]) -> Path:
    repository, revision = _named(reference)
    from huggingface_hub import snapshot_download

    patterns = [*files, cards.CARD_FILE] if files else None  # the card tells the licence
    try:
        # It shows its progress on a terminal.
        return Path(snapshot_download(repository, revision=revision, allow_patterns=patterns))
    except Exception as error:  # the hub's client raises errors of many libraries
        raise WeightsError(f"hf:{reference}: {error}") from error


def _damaged(folder: Path, files: Sequence[str]) -> list[Path]:
    """Return the files whose content differs from their name in the hub's cache.

    The cache names each file by its ETag: the SHA-256 of a large file, Git's SHA-1 of a small one.
    Other names, as a mirror may give them, are not checked.
    """
    wanted = (
        path
        for path in sorted(folder.rglob("*"))
        if not files or any(fnmatch(path.relative_to(folder).as_posix(), one) for one in files)
    )
    return [path for path in wanted if path.is_symlink() and not _is_its_name(path)]


def _is_its_name(link: Path) -> bool:
    name = link.resolve().name
    if not link.is_file():
        return False
    if len(name) == _SHA256_DIGITS:
        return digest(link) == name
    if len(name) == _SHA1_DIGITS:
        content = link.read_bytes()
        head = f"blob {len(content)}\0".encode()
        sums = (hashlib.sha1(data, usedforsecurity=False) for data in (head + content, content))
        return name in {each.hexdigest() for each in sums}
    return True
