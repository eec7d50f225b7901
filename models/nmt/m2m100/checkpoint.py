"""A published M2M100 checkpoint for CTranslate2's converter; read with CTranslate2 4.8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from ctranslate2.converters import Converter
from ctranslate2.converters.transformers import M2M100Loader
from transformers import M2M100Config, M2M100ForConditionalGeneration

from models.errors import WeightsError
from models.nmt.m2m100.tokenizer import END, START, UNKNOWN, M2m100Tokenizer

if TYPE_CHECKING:
    from torch import Tensor


class CheckpointConverter(Converter):  # type: ignore[misc]  # of a library without types
    """Converts a checkpoint whose files were found and checked before.

    ``TransformersConverter`` finds them itself: it would open a file that is not pinned, fill a
    missing tensor with random values, and need the tokenizer's optional files to know the tokens
    of the languages.
    """

    def __init__(
        self, config: Path, tensors: Mapping[str, Tensor], tokenizer: M2m100Tokenizer
    ) -> None:
        """Take ``config.json``, the tensors by their published names, and the tokenizer."""
        self._config, self._tensors, self._tokenizer = config, tensors, tokenizer

    def _load(self) -> Any:
        """Describe the model for CTranslate2, in float32.

        Raises:
            WeightsError: a tensor is missing or of another shape than the configuration says, or
                there are fewer rows than tokens.
        """
        config = M2M100Config.from_json_file(self._config)
        tokens = self._tokenizer.all_tokens(config.vocab_size)
        model, found = M2M100ForConditionalGeneration.from_pretrained(
            None,
            config=config,
            state_dict=dict(self._tensors),
            dtype=torch.float32,
            ignore_mismatched_sizes=True,  # reported below, with their names
            output_loading_info=True,
        )
        if found["missing_keys"]:
            raise WeightsError(f"the checkpoint has no tensor {min(found['missing_keys'])}")
        for name, shape, expected in found["mismatched_keys"]:
            raise WeightsError(
                f"the checkpoint's {name} has the shape {list(shape)}, not {list(expected)}"
            )
        with torch.no_grad():
            return M2M100Loader()(model, _Vocabulary(tokens))


class _Vocabulary:
    """The part of a tokenizer of transformers that the loader asks for."""

    bos_token, eos_token, unk_token = START, END, UNKNOWN
    special_tokens_map: Mapping[str, Any] = {}

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = tokens

    def get_vocab(self) -> dict[str, int]:
        return {token: i for i, token in enumerate(self._tokens)}

    def convert_ids_to_tokens(self, token_id: int) -> str:
        return self._tokens[token_id]
