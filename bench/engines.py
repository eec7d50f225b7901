"""Single engines on the CPU by batch size, each beside what a user would call instead.

    python -m bench.engines [--only asr onnx-asr speaker nmt ctranslate2 openai-chat kokoro yourtts
        xtts] [--threads 2] [--rounds 3] [--tiny]

Whisper by window beside faster-whisper one by one; GE2E and ECAPA-TDNN beside one clip at a time;
M2M100 on CTranslate2 beside transformers; Kokoro's own weights beside bare ONNX Runtime; YourTTS
beside Coqui's own inference. ECAPA-TDNN, M2M100 and YourTTS have their published sizes and random
values: their speed is real, what they say is not. The models of onnx-asr, XTTS, NLLB-200, Opus-MT
and MADLAD-400 are small ones of random values: their figures are of the time around the networks.
The service of ``openai-chat`` only waits. On a GPU ``bench.gpu`` measures the same.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from bench import engine_inputs as inputs
from bench import engine_texts
from bench.bare import answers, loaded
from bench.command import flag, run, some, value
from bench.comparing import compared
from bench.results import Results, Table
from bench.turns import Way, cut
from models.asr.decoding import window_capacities_s
from models.asr.model import model_folder
from models.asr.options import LONGEST_WINDOW_S, Options
from models.audio.samples import to_float32
from models.devices.onnx_session import open_session
from models.tts import kokoro as kokoro_engine
from models.tts import kokoro_files
from models.tts.phonemes import Phonemizer
from models.tts.xtts import checkpoint as xtts_checkpoint
from models.tts.yourtts import checkpoint
from models.types import SAMPLE_RATE_HZ, SOURCE_VOICE, AsrItem, TtsItem
from models.weights import source
from models.weights.cached_files import cache_folder
from tests.support.m2m100_transformers import TRANSFORMERS
from tests.support.published import onnx_asr as onnx_asr_models
from tests.support.published import xtts, yourtts
from tests.support.published.ecapa import SMALL_CHANNELS, SMALL_SPEAKERS, write_ecapa
from tests.support.speech import clips, wer

ASR_BATCHES, SPEAKER_BATCHES = (1, 4, 8), (8, 16, 32)
NMT_BATCHES, TTS_BATCHES, ONNX_ASR_BATCHES = (1, 8, 32), (1, 4, 8), (1, 8, 32)
XTTS_BATCHES, KOKORO_BATCHES = (1, 8, 32), (1, 8)
DURATIONS_S = (1, 5, 10)
TOKENS = 20  # of each translation
REFERENCE_S = 6  # of a voice that was never heard


def asr(args: argparse.Namespace, stack: ExitStack) -> list[Table]:
    """Try each window and batch size on the clips that it holds, sorted as the batcher does."""
    from faster_whisper import WhisperModel

    every = sorted(clips(), key=lambda clip: clip.duration_s)[: 6 if args.tiny else None]
    items = [AsrItem(clip.samples(), clip.language) for clip in every]
    texts = [clip.text for clip in every]
    folder = str(model_folder(source.resolve(inputs.WHISPER)))
    model = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=args.threads)

    def reference(batch: Sequence[AsrItem]) -> list[str]:
        options = {"language": batch[0].language, "beam_size": Options().beam_size}
        segments, _ = model.transcribe(to_float32(batch[0].samples), **options)
        return [" ".join(segment.text.strip() for segment in segments)]

    def ours(runtime: Any, batch: Sequence[AsrItem]) -> list[str]:
        return [transcript.text for transcript in answers(runtime, batch)]

    settings: dict[str, tuple[float, ...]] = {
        f"window {w:g} s": (w,) if w == LONGEST_WINDOW_S else (w, LONGEST_WINDOW_S)
        for w in Options().windows_s
    }
    settings["the smallest window that fits"] = Options().windows_s
    tables = []
    for name, windows_s in settings.items():
        first_s = window_capacities_s(windows_s, Options().margin_s)[0]
        fits_all = windows_s == Options().windows_s
        held = [item for item in items if fits_all or item.length <= first_s]
        if not held:
            continue
        runtime = loaded(stack, "whisper", inputs.WHISPER, args.threads, windows_s=windows_s)
        ways = [Way("faster-whisper", reference, cut(held, 1))]
        ways += [Way(name, partial(ours, runtime), cut(held, size)) for size in ASR_BATCHES]
        said = texts[: len(held)]
        error = {"WER %": lambda way, said=said: 100 * wer(said, way.answers)}
        reference(held[:1])
        tables.append(compared(f"Whisper base, int8, {name}", ways, 1, error, warm_up=False))
    return tables


def small_asr(args: argparse.Namespace, stack: ExitStack) -> list[Table]:
    """Measure small networks of random values: the library's and our own time, and no encoder's."""
    import onnx_asr

    cycled = islice(cycle(sorted(clips(), key=lambda clip: clip.duration_s)), max(ONNX_ASR_BATCHES))
    items = [AsrItem(clip.samples(), "en", word_timestamps=True) for clip in cycled]
    tables = []
    for layout, build in (
        ("nemo-conformer-ctc", onnx_asr_models.nemo_ctc),
        ("nemo-conformer-tdt", onnx_asr_models.nemo_tdt),
    ):
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        build(folder)
        settings = {"model": layout, "languages": ("en",)}
        runtime = loaded(stack, "onnx-asr", f"path:{folder}", args.threads, **settings)
        model = onnx_asr.load_model(layout, folder).with_timestamps()

        def library(batch: Sequence[AsrItem], model: Any = model) -> list[str]:
            return [model.recognize(to_float32(batch[0].samples)).text]

        ways = [Way("onnx-asr", library, cut(items, 1))]
        ways += [
            Way("dragoman", partial(answers, runtime), cut(items, size))
            for size in ONNX_ASR_BATCHES
        ]
        tables.append(compared(f"onnx-asr, a small {layout}", ways, args.rounds))
    return tables


def speaker(args: argparse.Namespace, stack: ExitStack) -> list[Table]:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    write_ecapa(Path(folder), *((SMALL_CHANNELS, SMALL_SPEAKERS) if args.tiny else ()))
    tables, today = [], inputs.TODAY_SINGLE_MS["cpu"]
    for engine, weights in (("ge2e", "package:resemblyzer"), ("ecapa", f"path:{folder}")):
        run_batch = partial(answers, loaded(stack, engine, weights, args.threads))
        singles = [Way(f"{s} s", run_batch, [inputs.speech(1, s)]) for s in DURATIONS_S]
        said = {"today ms": lambda way: "{}-{}".format(*today[int(way.name.split()[0])])}
        tables.append(compared(f"{engine}: one clip by its length", singles, args.rounds, said))
        for size in SPEAKER_BATCHES:
            batch = inputs.speech(size, 1)
            ways = [
                Way("one by one", run_batch, cut(batch, 1)),
                Way("together", run_batch, [batch]),
            ]
            today_ms = inputs.TODAY_BATCH_MS["cpu"][size] / size
            title = f"{engine}: {size} clips of 1 s, today {today_ms:.0f} ms each"
            tables.append(compared(title, ways, args.rounds))
    return tables


def nmt(args: argparse.Namespace, stack: ExitStack) -> list[Table]:
    place = cache_folder() / "bench" / ("m2m100-tiny" if args.tiny else "m2m100")
    weights = f"path:{inputs.build_m2m100(place, tiny=args.tiny).absolute()}"
    engines = {
        name: loaded(stack, name, weights, args.threads) for name in (TRANSFORMERS, "m2m100")
    }
    tables = []
    for size in NMT_BATCHES:
        batch = inputs.texts_to_translate(size, TOKENS)
        ways = [Way(name, partial(answers, engine), [batch]) for name, engine in engines.items()]
        tables.append(compared(f"M2M100, {size} at a time, {TOKENS} tokens", ways, args.rounds))
    return tables


def kokoro(args: argparse.Namespace, stack: ExitStack) -> list[Table]:
    """Speak with the published weights; their graph takes one text at a time."""
    options, found = kokoro_engine.Options(), source.resolve(inputs.KOKORO)
    runtime = loaded(stack, "kokoro", inputs.KOKORO, args.threads, loudness_lufs=None)
    model = kokoro_files.model_path(found, options.model_file)
    session = open_session(model, args.threads, [("CPUExecutionProvider", {})], lengths_vary=True)
    vocab = kokoro_files.read_vocab(found.file(options.vocab_file))
    (voice,) = options.voices
    styles = kokoro_files.styles_of(found, options.voices_file, [voice])[voice]
    phonemize = Phonemizer(options.espeak_language)

    def bare(batch: Sequence[TtsItem]) -> list[float]:
        phonemes = kokoro_engine.known_phonemes(phonemize(batch[0].text), vocab)
        tokens = np.array([[0, *(vocab[each] for each in phonemes), 0]], np.int64)
        feed = {"tokens": tokens, "style": styles[len(phonemes) - 1][None]}
        (audio,) = session.run(None, {**feed, "speed": np.ones(1, np.float32)})
        return [audio.size / kokoro_engine.SAMPLE_RATE_HZ]

    def ours(batch: Sequence[TtsItem]) -> list[float]:
        return [speech.audio.duration_s for speech in answers(runtime, batch)]

    said = islice(cycle(inputs.SPOKEN_PT), 2 if args.tiny else max(KOKORO_BATCHES))
    items = [TtsItem(text, voice) for text in said]
    ways = [Way("onnxruntime", bare, cut(items, 1))]
    ways += [Way("dragoman", ours, cut(items, size)) for size in KOKORO_BATCHES]
    factor = {"real-time factor": lambda way: way.times_s[0] / sum(way.answers)}
    return [compared("Kokoro, a sentence", ways, 1, factor)]


def tts(args: argparse.Namespace, stack: ExitStack) -> list[Table]:
    import torch

    place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    size = yourtts.SMALL if args.tiny else yourtts.PUBLISHED
    yourtts.build(place, size)
    runtime = loaded(stack, "yourtts", f"path:{place}", args.threads)
    vits: Any = checkpoint.read(source.resolve(f"path:{place}")).vits
    items, noise = inputs.texts_to_speak(), np.random.default_rng(0)

    def coqui(batch: Sequence[TtsItem]) -> list[float]:
        """Call ``Vits.inference`` with a d-vector, as coqui's ``synthesize`` does."""
        ids = torch.tensor([vits.tokenizer.text_to_ids(batch[0].text, "en")])
        aux = {"d_vectors": torch.ones(1, size.d_vector), "language_ids": torch.tensor([0])}
        return [vits.inference(ids, aux)["model_outputs"].numel() / SAMPLE_RATE_HZ]

    def ours(batch: Sequence[TtsItem]) -> list[float]:
        return [speech.audio.duration_s for speech in answers(runtime, batch)]

    def in_new_voices(batch: Sequence[TtsItem]) -> list[float]:
        return ours([unheard(item, noise) for item in batch])

    ways = [Way("coqui", coqui, cut(items, 1))]
    ways += [Way("dragoman", ours, cut(items, size)) for size in TTS_BATCHES]
    what = f"dragoman, each a new voice of {REFERENCE_S} s"
    ways.append(Way(what, in_new_voices, cut(items, max(TTS_BATCHES))))
    factor = {"real-time factor": lambda way: way.times_s[0] / sum(way.answers)}
    return [compared("YourTTS, a sentence", ways, args.rounds, factor)]


def small_xtts(args: argparse.Namespace, stack: ExitStack) -> list[Table]:
    """Measure a small network of random values; its texts are spoken one after another."""
    import torch

    place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    xtts.build(place)
    runtime = loaded(stack, "xtts", f"path:{place}", args.threads, loudness_lufs=None)
    theirs: Any = xtts_checkpoint.read(source.resolve(f"path:{place}"), (), ()).xtts
    voice = f"{xtts.SPEAKERS[0]}/en"
    items = [TtsItem(text, voice) for text in islice(cycle(inputs.SENTENCES), max(XTTS_BATCHES))]

    def coqui(batch: Sequence[TtsItem]) -> list[float]:
        torch.manual_seed(0)
        said = theirs.synthesize(batch[0].text, speaker=xtts.SPEAKERS[0], language="en")
        return [len(said["wav"])]

    ways = [Way("coqui", coqui, cut(items, 1))]
    ways += [Way("dragoman", partial(answers, runtime), cut(items, size)) for size in XTTS_BATCHES]
    return [compared("XTTS, small, a sentence", ways, args.rounds)]


def unheard(item: TtsItem, noise: np.random.Generator) -> TtsItem:
    """Ask for a sentence in the voice of a clip of its own that was never heard."""
    samples = noise.integers(-9_000, 9_000, REFERENCE_S * SAMPLE_RATE_HZ, np.int16)
    language = item.voice.partition("/")[2]
    return TtsItem(item.text, SOURCE_VOICE, language=language, reference=samples)


PARTS = {
    "asr": asr,
    "onnx-asr": small_asr,
    "speaker": speaker,
    "nmt": nmt,
    "ctranslate2": engine_texts.ctranslate2,
    "openai-chat": engine_texts.openai_chat,
    "kokoro": kokoro,
    "yourtts": tts,
    "xtts": small_xtts,
}


def bench(args: argparse.Namespace) -> Results:
    tables = []
    for name in args.only:
        with ExitStack() as stack:
            tables += PARTS[name](args, stack)
    is_all = set(args.only) == set(PARTS)
    return Results(
        name="engines" if is_all else f"engines-{'-'.join(args.only)}",
        title="Single engines on the CPU",
        findings=[
            f"{table.title}: {row[0]} in batches of {row[1]} is {row[5]} times as fast as "
            f"{table.rows[0][0]}."
            for table in tables
            for row in table.rows[-1:]
        ],
        tables=tables,
        notes=[f"{args.threads} threads, {args.rounds} rounds in turns; medians (least to most)."],
    )


OPTIONS = {
    "only": some(PARTS),
    "threads": value(2),
    "rounds": value(3, "of each way, but for Whisper, which has one"),
    "tiny": flag("small models and few clips, to try the bench"),
}

if __name__ == "__main__":
    run(__doc__, bench, OPTIONS)
