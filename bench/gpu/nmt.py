"""M2M100 on both engines, and a Bergamot student."""

from __future__ import annotations

from functools import partial
from typing import Any

from bench.bare import answers
from bench.engine_inputs import build_m2m100, texts_to_translate
from bench.gpu.measure import Found, Precision, Setup, point
from models.registry import find_engine
from models.runtime import RuntimeSettings
from tests.support.m2m100_transformers import TRANSFORMERS
from tests.support.published.m2m100 import PUBLISHED, PUBLISHED_VOCABULARY

TOKENS = 20  # of each translation
BATCH_SIZES, REDUCED_BATCH_SIZES = (1, 8, 32, 64), (1, 8)
WHAT = f"a sentence, {TOKENS} tokens"


def m2m100_transformers(setup: Setup, found: Found) -> None:
    _m2m100(setup, found, TRANSFORMERS, ("float16", "float32"), "precision")


def m2m100_ctranslate2(setup: Setup, found: Found) -> None:
    """Run CTranslate2's kernels: only the other engine tells what they compute."""
    _m2m100(setup, found, "m2m100", ("float16",), "compute_type")


def weights_folder(setup: Setup) -> Any:
    return build_m2m100(setup.folder / "m2m100", tiny=not setup.on_gpu)


def _m2m100(
    setup: Setup, found: Found, engine: str, precisions: tuple[Precision, ...], option: str
) -> None:
    folder = weights_folder(setup)
    for precision in precisions if setup.on_gpu else ("float32",):
        options = {option: precision} if setup.on_gpu else {}
        runtime = find_engine(engine).create(
            RuntimeSettings(engine, f"path:{folder}", setup.request, options)
        )
        _, report = runtime.load()
        for batch_size in BATCH_SIZES if setup.on_gpu else REDUCED_BATCH_SIZES:
            point(
                found,
                partial(answers, runtime, texts_to_translate(batch_size, TOKENS)),
                (
                    "M2M100-418M" if setup.on_gpu else "M2M100 (tiny)",
                    f"{engine}, {report.precision}",
                    batch_size,
                    WHAT,
                ),
                on=report.actual,
                precision=precision,
                count=engine == TRANSFORMERS,
                gbytes=m2m100_gbytes(precision) if setup.on_gpu else None,
            )
        runtime.close()


def m2m100_gbytes(precision: Precision) -> float:
    """Count the weights that are read: the encoder's once, the decoder's at each step."""
    d, ffn = PUBLISHED["d_model"], PUBLISHED["encoder_ffn_dim"]
    encoder = PUBLISHED["encoder_layers"] * (4 * d * d + 2 * d * ffn)
    decoder = PUBLISHED["decoder_layers"] * (8 * d * d + 2 * d * ffn) + PUBLISHED_VOCABULARY * d
    weights: int = encoder + (TOKENS + 1) * decoder
    return weights * (4 if precision == "float32" else 2) / 1e9


# What a Bergamot "tiny" student's own ``special:model.yml`` says beyond what all of them share.
STUDENT: dict[str, Any] = {"enc-depth": 6, "dec-depth": 2, "transformer-heads": 8}
STUDENT_WIDTH, STUDENT_FFN, STUDENT_VOCABULARY = 256, 1536, 32_000
SHORTLIST = 500  # about what a sentence's shortlist holds
SOURCE_TOKENS = 17
EOS = 0


def bergamot(setup: Setup, found: Found) -> None:
    """Run the network without its tokenizer, which is the CPU's."""
    import numpy as np
    import torch

    from models.nmt.bergamot.marian import MarianModel
    from models.nmt.bergamot.network import Student
    from models.nmt.bergamot.weights import ARCHITECTURE

    random = np.random.default_rng(0)
    tensors = {
        name: (random.standard_normal(shape) / 16).astype(np.float32)
        for name, shape in _student_shapes().items()
    }
    tensors["decoder_ff_logit_out_b"][EOS] = -1e4  # no translation ends by itself
    variants: tuple[Precision, ...] = ("float32", "float16") if setup.on_gpu else ("float32",)
    for precision in variants:
        student = Student(
            MarianModel({**ARCHITECTURE, **STUDENT}, tensors), eos=EOS, max_positions=512
        )
        student.to("cuda" if setup.on_gpu else "cpu", getattr(torch, precision))
        for batch_size in BATCH_SIZES if setup.on_gpu else REDUCED_BATCH_SIZES:
            words = random.integers(1, STUDENT_VOCABULARY, (batch_size, SOURCE_TOKENS)).tolist()
            allowed = list(random.integers(1, STUDENT_VOCABULARY, (batch_size, SHORTLIST)))
            bounds = [TOKENS] * batch_size
            point(
                found,
                partial(student, words, bounds, allowed),
                ("Bergamot tiny", f"torch, {precision}", batch_size, WHAT),
                on=setup.device,
                precision=precision,
            )


def _student_shapes() -> dict[str, tuple[int, ...]]:
    d, ffn = STUDENT_WIDTH, STUDENT_FFN
    shapes: dict[str, tuple[int, ...]] = {
        "Wemb": (STUDENT_VOCABULARY, d),
        "decoder_ff_logit_out_b": (STUDENT_VOCABULARY,),
    }
    layers = [f"encoder_l{i + 1}" for i in range(STUDENT["enc-depth"])]
    layers += [f"decoder_l{i + 1}" for i in range(STUDENT["dec-depth"])]
    for layer in layers:
        is_encoder = layer.startswith("encoder")
        attention = f"{layer}_{'self' if is_encoder else 'context'}"
        for part in "qkvo":
            shapes |= {f"{attention}_W{part}": (d, d), f"{attention}_b{part}": (d,)}
        shapes |= {f"{layer}_ffn_W1": (ffn, d), f"{layer}_ffn_b1": (ffn,)}
        shapes |= {f"{layer}_ffn_W2": (d, ffn), f"{layer}_ffn_b2": (d,)}
        norms = [f"{attention}_Wo", f"{layer}_ffn_ffn"]
        if not is_encoder:
            norms.append(f"{layer}_rnn_ffn")
            shapes |= {f"{layer}_rnn_W": (d, d), f"{layer}_rnn_Wf": (d, d)}
            shapes[f"{layer}_rnn_bf"] = (d,)
        for norm in norms:
            shapes |= {f"{norm}_ln_scale": (d,), f"{norm}_ln_bias": (d,)}
    return shapes
