"""A small XTTS of random values in the layout in which coqui publishes the real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

LANGUAGES = ("en", "es", "fr", "pt", "de")  # without those that take another library
SPEAKERS = ("Claribel Dervla", "Luis Moray")
WIDTH, LATENTS, EMBEDDING = 32, 32, 512
STOP, START = 65, 64
ARGS = {
    "gpt_layers": 2,
    "gpt_n_model_channels": WIDTH,
    "gpt_n_heads": 2,
    "gpt_max_text_tokens": 402,
    "gpt_max_audio_tokens": 24,
    "gpt_max_prompt_tokens": 70,
    "gpt_num_audio_tokens": 66,
    "gpt_start_audio_token": START,
    "gpt_stop_audio_token": STOP,
    "decoder_input_dim": WIDTH,
}
TEXTS = (
    "good morning. the meeting begins at nine in the large room on the second floor.",
    "where is the station, please? one, two, three, four, five, six, seven, eight, nine, ten.",
    "buenos días, ¿dónde está la estación más cercana? c'est une très bonne question.",
    "bom dia, a reunião começa às nove. guten morgen, wo ist der bahnhof, bitte?",
)


def build(folder: Path, seed: int = 0) -> None:
    """Write ``config.json``, ``model.pth``, ``vocab.json`` and ``speakers_xtts.pth``."""
    import torch
    from TTS.tts.configs.xtts_config import XttsConfig
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer
    from TTS.tts.models.xtts import Xtts

    _vocabulary(folder / "vocab.json")
    config = XttsConfig()
    config.languages = list(LANGUAGES)
    for name, value in ARGS.items():
        setattr(config.model_args, name, value)
    config.save_json(str(folder / "config.json"))
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        model = Xtts(config)
        model.tokenizer = VoiceBpeTokenizer(str(folder / "vocab.json"))
        model.init_models()
        with torch.no_grad():  # random logits differ enough for texts to differ
            model.gpt.mel_head.weight.mul_(6)
            model.gpt.mel_head.bias[STOP] = -5.0
        torch.save({"model": _state(model)}, folder / "model.pth")
        speakers = {
            name: {
                "gpt_cond_latents": torch.randn(1, LATENTS, WIDTH),
                "speaker_embedding": torch.nn.functional.normalize(torch.randn(1, EMBEDDING, 1)),
            }
            for name in SPEAKERS
        }
    torch.save(speakers, folder / "speakers_xtts.pth")


def _state(model: Any) -> dict[str, Any]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def _vocabulary(path: Path) -> None:
    """Train a tokenizer of the published form: BPE, with a token for each language."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    specials = ["[STOP]", "[UNK]", "[SPACE]", "[START]", *(f"[{code}]" for code in LANGUAGES)]
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=specials)
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.save(str(path))
