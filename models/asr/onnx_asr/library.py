"""Opens a model with the library onnx-asr, on the device that the configuration asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.asr.onnx_asr.options import Options
from models.devices import device
from models.devices.onnx_session import session_options, tuned
from models.errors import WeightsError

if TYPE_CHECKING:
    from onnx_asr.asr import TimestampedResult

MISSING_EXTRA = (
    "this engine runs on onnx-asr, which is not installed: pip install dragoman[onnx-asr]"
)


class Recogniser:
    """One opened model. It keeps nothing between calls."""

    def __init__(self, folder: Path, options: Options, request: device.DeviceRequest) -> None:
        """Open the model of a folder in the layout that onnx-asr publishes.

        Raises:
            WeightsError: the library or a file is missing, or a file is of another kind.
            DeviceError: ``cuda`` was asked for by name and cannot be had.
        """
        try:
            import onnx_asr
        except ImportError as error:
            raise WeightsError(f"{MISSING_EXTRA} ({error})") from error
        got, providers = device.choose_onnxruntime(request, sessions=_sessions(options.model))
        cpu = session_options(1, lengths_vary=True)
        try:
            adapter = onnx_asr.load_model(
                options.model,
                folder,
                quantization=options.quantization,
                asr_config={
                    "sess_options": session_options(request.threads, lengths_vary=True),
                    "providers": tuned(providers),
                },
                # Features are the same on every device, and take no memory of the GPU.
                preprocessor_config={"use_numpy_preprocessors": True},
                resampler_config={"sess_options": cpu, "providers": ["CPUExecutionProvider"]},
            )
        except Exception as error:  # the library and ONNX Runtime raise many classes
            if device.is_out_of_memory(error):
                raise
            message = f"{folder}: not a model of the layout {options.model}: {error}"
            raise WeightsError(message) from error
        self._asr: Any = adapter.asr
        self._adapter = adapter.with_timestamps()
        self.device = device.confirm_onnxruntime(request, got, self._providers())
        self.is_canary = hasattr(self._asr, "_transcribe_input")
        if self.is_canary:
            self._end_rows()

    def _providers(self) -> list[str]:
        """Return the providers that the model's own sessions got."""
        import onnxruntime

        sessions = [
            v for v in vars(self._asr).values() if isinstance(v, onnxruntime.InferenceSession)
        ]
        return list(sessions[0].get_providers())

    def _end_rows(self) -> None:
        """Let a row of Canary say nothing more behind its end.

        The library decodes a batch until every row has ended, and takes what a row says behind its
        own end for its text.
        """
        decode, end = self._asr._decode, self._asr._eos_token_id
        prompt_tokens = self._asr._transcribe_input.shape[1]

        def decode_until_end(tokens: NDArray[np.int64], *given: Any) -> Any:
            logits, memory = decode(tokens, *given)
            ended = (tokens[:, prompt_tokens:] == end).any(axis=1)
            if ended.any():
                logits = logits.copy()
                logits[ended, -1] = -np.inf
                logits[ended, -1, end] = 0.0
            return logits, memory

        self._asr._decode = decode_until_end

    def recognise(
        self, waveforms: Sequence[NDArray[np.float32]], language: str | None, target: str | None
    ) -> list[TimestampedResult]:
        """Recognise clips at 16 kHz [n] in one batch.

        Args:
            waveforms: at least one.
            language: that is spoken; of Canary alone.
            target: that is written; of Canary alone.
        """
        asked = {"language": language, "target_language": target} if self.is_canary else {}
        return list(self._adapter.recognize(list(waveforms), sample_rate=16_000, **asked))


def _sessions(model: str) -> int:
    """Count the sessions of a model: of each is a share of the GPU's memory."""
    if "ctc" in model:
        return 1
    has_joiner = model in ("kaldi-rnnt", "vosk") or model.startswith("gigaam")
    return 3 if has_joiner else 2
