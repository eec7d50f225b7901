"""Snapshots of the Hugging Face hub: from its cache where they are whole, else downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.errors import WeightsError


def snapshot(reference: str, files: Sequence[str] = (), *, ask_hub: bool = False) -> Path:
    """The folder of ``REPO@REVISION``, with the files that fit ``files`` or with all.

    The hub is asked only for what the cache lacks, so that a start needs no network once the
    weights are there. A commit never changes; a branch or tag stays where it was when it was
    fetched, until ``ask_hub``. A transfer that breaks is resumed; of a process that was ended,
    the files that came whole are kept.

    Args:
        reference: a repository and its revision: a commit, tag or branch.
        files: patterns as of ``fnmatch``; a ``*`` spans folders, too.
        ask_hub: whether a branch or tag has moved.

    Raises:
        WeightsError: malformed; or it is not in the cache, and cannot be had from the hub.
    """
    repository, _, revision = reference.partition("@")
    if not revision:
        raise WeightsError(f"hf:{reference}: name a revision, as in hf:{repository}@REVISION")
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    patterns = list(files) or None
    if not ask_hub or constants.HF_HUB_OFFLINE:
        try:
            cached = snapshot_download(
                repository, revision=revision, allow_patterns=patterns, local_files_only=True
            )
            return Path(cached)
        except LocalEntryNotFoundError as error:
            if constants.HF_HUB_OFFLINE:
                raise WeightsError(
                    f"hf:{reference}: not whole in {constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE "
                    "forbids to ask the hub; run `dragoman fetch CONFIG` with network"
                ) from error
        except ValueError as error:  # no name that a repository can have
            raise WeightsError(f"hf:{reference}: {error}") from error
    try:
        # Shows its own progress on a terminal.
        return Path(snapshot_download(repository, revision=revision, allow_patterns=patterns))
    except Exception as error:  # the hub's client raises errors of many libraries
        raise WeightsError(f"hf:{reference}: {error}") from error
