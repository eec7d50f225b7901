"""M2M100 with random values, in the layout of the published folders, of any size."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from models.nmt.m2m100.tokenizer import LANGUAGES

SPARE_ROWS = 8  # of the published models' embedding, behind the languages
# The published 418M model (https://huggingface.co/facebook/m2m100_418M, config.json).
PUBLISHED: dict[str, Any] = {
    "d_model": 1024,
    "encoder_layers": 12,
    "decoder_layers": 12,
    "encoder_attention_heads": 16,
    "decoder_attention_heads": 16,
    "encoder_ffn_dim": 4096,
    "decoder_ffn_dim": 4096,
}
PUBLISHED_VOCABULARY = 128_004  # tokens of vocab.json
# Large values in the layers beside a small embedding make outputs differ from row to row and from
# token to token, where a model with random values repeats itself; of the end of a sentence they
# are larger, so that some rows end.
TINY: dict[str, Any] = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "init_std": 0.5,
    "embedding_scale": 0.4,
    "end_scale": 3.0,
}

# A sentence in ten of the hundred languages, in several scripts.
SENTENCES: dict[str, str] = {
    "en": "Where is the nearest train station?",
    "pt": "Onde fica a estação de trem mais próxima?",
    "es": "El banco abre a las nueve de la mañana.",
    "fr": "Je voudrais parler au directeur, s'il vous plaît.",
    "de": "Mein neues Telefon funktioniert leider nicht.",
    "ru": "Завтра утром мы вам перезвоним.",
    "el": "Πού είναι το πλησιέστερο νοσοκομείο;",
    "he": "איפה תחנת הרכבת?",
    "hi": "कृपया एक क्षण प्रतीक्षा करें।",
    "zh": "请稍等一下。我们马上回来。",
}


def write_tokenizer(
    folder: Path, texts: Iterable[str] = SENTENCES.values(), size: int | None = None
) -> int:
    """Train SentencePiece on texts and write the tokenizer's files.

    ``vocab.json`` numbers the pieces in another order than SentencePiece does, as the published
    one; up to ``size`` tokens (None: as many as there are) it is filled with words that no text
    holds. Returns the number of tokens with those of the languages.
    """
    from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type="bpe",
        vocab_size=400,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    (folder / "sentencepiece.bpe.model").write_bytes(model.getvalue())
    pieces = SentencePieceProcessor(model_proto=model.getvalue())
    tokens = ["<s>", "<pad>", "</s>", "<unk>"]
    known = [pieces.IdToPiece(i) for i in range(pieces.GetPieceSize())]
    tokens += sorted(set(known) - set(tokens))
    tokens += [f"▁filler{i}" for i in range(len(tokens), size or 0)]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, indent=2, ensure_ascii=False))
    languages = [f"__{language}__" for language in LANGUAGES]
    special = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    (folder / "special_tokens_map.json").write_text(
        json.dumps(special | {"additional_special_tokens": languages})
    )
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "M2M100Tokenizer", "language_codes": "m2m100"})
    )
    return len(tokens) + len(languages)


def write_model(
    folder: Path,
    tokens: int,
    *,
    seed: int = 0,
    embedding_scale: float = 1.0,
    end_scale: float = 1.0,
    **sizes: Any,
) -> None:
    """Write a model with random values: config.json, generation_config.json, pytorch_model.bin."""
    import torch
    from transformers import M2M100Config, M2M100ForConditionalGeneration

    torch.manual_seed(seed)
    model = M2M100ForConditionalGeneration(
        M2M100Config(vocab_size=tokens + SPARE_ROWS, **(PUBLISHED | sizes))
    )
    with torch.no_grad():
        model.model.shared.weight.mul_(embedding_scale)
        model.model.shared.weight[model.config.eos_token_id].mul_(end_scale)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    # As published: what an item asks must override all of it.
    generation = {"max_length": 200, "num_beams": 5, "early_stopping": True}
    (folder / "config.json").write_text(json.dumps(model.config.to_dict() | generation))
    (folder / "generation_config.json").write_text(json.dumps(generation))


def build(folder: Path) -> None:
    """Write every file of the published repository, of a small model, into ``folder``."""
    folder.mkdir(exist_ok=True)
    write_model(folder, write_tokenizer(folder), **TINY)
