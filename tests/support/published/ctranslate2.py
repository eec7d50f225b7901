"""NLLB-200, Opus-MT and MADLAD-400 with random values, published and as CTranslate2 has them."""

from __future__ import annotations

import io
import json
import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.support.published.m2m100 import SENTENCES

# Large values beside a small embedding make outputs differ from row to row and from token to token,
# where a model with random values repeats itself; of the end of a sentence they are larger, so that
# some rows end.
EMBEDDING_SCALE, STD = 0.4, 0.5
END_SCALES = {"nllb": 1.6, "opus-mt": 3.0, "madlad": 2.0}
SEEDS = {"nllb": 0, "opus-mt": 1, "madlad": 0}
SIZES: dict[str, Any] = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "init_std": STD,
}
# Their own codes of the languages of SENTENCES, and those of languages with two scripts.
FLORES = {
    **{"en": "eng_Latn", "pt": "por_Latn", "es": "spa_Latn", "fr": "fra_Latn", "de": "deu_Latn"},
    **{"ru": "rus_Cyrl", "el": "ell_Grek", "he": "heb_Hebr", "hi": "hin_Deva", "zh": "zho_Hans"},
}
FLORES_MORE = ("zho_Hant", "kas_Arab", "kas_Deva", "pes_Arab", "acm_Arab")
MADLAD_CODES = [*(code if code != "he" else "iw" for code in SENTENCES), "zh_Latn"]
OPUS_TARGETS = ("deu", "fra", "por", "pob", "cmn_Hans", "cmn_Hant")


def train(path: Path, **options: Any) -> list[str]:
    """Train SentencePiece on the sentences; return its pieces by their numbers."""
    from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES.values()),
        model_writer=model,
        hard_vocab_limit=False,
        minloglevel=2,
        **options,
    )
    path.write_bytes(model.getvalue())
    pieces = SentencePieceProcessor(model_proto=model.getvalue())
    return [pieces.IdToPiece(i) for i in range(pieces.GetPieceSize())]


def publish_nllb(folder: Path) -> None:
    """Write the files of a repository such as facebook/nllb-200-distilled-600M."""
    from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer

    train(folder / "sentencepiece.bpe.model", model_type="bpe", vocab_size=400)
    languages = [*FLORES.values(), *FLORES_MORE]
    _write(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "NllbTokenizer", "additional_special_tokens": languages},
    )
    tokenizer = NllbTokenizer.from_pretrained(folder, additional_special_tokens=languages)
    tokenizer.save_pretrained(folder)
    config = M2M100Config(vocab_size=len(tokenizer), max_position_embeddings=1024, **SIZES)
    model = M2M100ForConditionalGeneration(config)
    _save(model, folder, model.model.shared, "nllb")
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n\n# NLLB-200\n")


def publish_opus_mt(folder: Path, targets: Sequence[str] = (), target: str = "de") -> None:
    """Write the files of a repository such as Helsinki-NLP/opus-mt-en-de, or -en-mul."""
    from transformers import MarianConfig, MarianMTModel

    pieces = train(folder / "source.spm", model_type="unigram", vocab_size=300)
    pieces += train(folder / "target.spm", model_type="unigram", vocab_size=280)
    marks = [f">>{code}<<" for code in targets]
    tokens = dict.fromkeys(["</s>", "<unk>", *marks, *pieces, "<pad>"])
    tokens = dict.fromkeys([t for t in tokens if t not in ("<s>", "<pad>")] + ["<pad>"])
    _write(folder / "vocab.json", {token: i for i, token in enumerate(tokens)})
    _write(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "MarianTokenizer", "source_lang": "en", "target_lang": target},
    )
    last = len(tokens) - 1
    model = MarianMTModel(
        MarianConfig(
            vocab_size=len(tokens),
            pad_token_id=last,
            eos_token_id=0,
            decoder_start_token_id=last,
            forced_eos_token_id=None,
            max_position_embeddings=512,
            activation_function="swish",
            scale_embedding=True,
            **SIZES,
        )
    )
    _save(model, folder, model.model.shared, "opus-mt", bad_words_ids=[[last]])
    readme = "---\nlicense: cc-by-4.0\n---\n\n* source languages: en\n* target languages: de\n"
    (folder / "README.md").write_text(readme)


def publish_madlad(folder: Path) -> None:
    """Write the files of a repository such as google/madlad400-3b-mt."""
    from transformers import T5Config, T5ForConditionalGeneration

    marks = [f"<2{code}>" for code in MADLAD_CODES]
    pieces = train(
        folder / "spiece.model",
        model_type="unigram",
        vocab_size=320,
        user_defined_symbols=marks,
        byte_fallback=False,
    )
    _write(
        folder / "tokenizer_config.json",
        {
            **{"tokenizer_class": "T5Tokenizer", "extra_ids": 0, "additional_special_tokens": []},
            **{"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<s>"},
        },
    )
    model = T5ForConditionalGeneration(
        T5Config(
            vocab_size=len(pieces),
            d_model=32,
            d_kv=8,
            d_ff=64,
            num_layers=2,
            num_heads=4,
            feed_forward_proj="gated-gelu",
            tie_word_embeddings=False,
            initializer_factor=2.0,
            pad_token_id=1,
            eos_token_id=2,
            decoder_start_token_id=0,
        )
    )
    _save(model, folder, model.lm_head, "madlad")
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n\n# MADLAD-400\n")


PUBLISHED: dict[str, Callable[[Path], None]] = {
    "nllb": publish_nllb,
    "opus-mt": publish_opus_mt,
    "madlad": publish_madlad,
}
TOKENIZER_FILES: dict[str, tuple[str, ...]] = {
    "nllb": ("sentencepiece.bpe.model",),
    "opus-mt": ("source.spm", "target.spm", "tokenizer_config.json"),
    "madlad": ("spiece.model",),
}


def convert(published: Path, folder: Path, copied: Sequence[str], quantization: str) -> Path:
    """Convert a published folder as ``ct2-transformers-converter --copy_files`` does."""
    from ctranslate2.converters import TransformersConverter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Marian's tokenizer recommends a package
        TransformersConverter(str(published)).convert(str(folder), quantization=quantization)
    for name in (*copied, "README.md"):
        shutil.copy(published / name, folder)
    return folder


def build(place: Path, family: str, quantization: str = "float32") -> tuple[Path, Path]:
    """Publish and convert a model of a family; return both folders."""
    import torch

    published = place / "published"
    published.mkdir(parents=True)
    torch.manual_seed(SEEDS[family])
    PUBLISHED[family](published)
    return published, convert(published, place / family, TOKENIZER_FILES[family], quantization)


def _save(model: Any, folder: Path, embedding: Any, family: str, **generation: Any) -> None:
    """Write a model's files; random values are scaled so that it says something, and ends."""
    import torch

    with torch.no_grad():
        embedding.weight.mul_(EMBEDDING_SCALE)
        embedding.weight[model.config.eos_token_id].mul_(END_SCALES[family])
    model.generation_config.update(**generation)
    model.save_pretrained(folder)


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False))
