"""The engine behind the pages: models in memory, voices, speech and codec. The only importer of `calm_core`."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.continuation import ContinuationRequest
from app.encoding import to_int16
from app.engine import Report, continued, download_report, is_input_error, sentences
from app.errors import NotReadyError, UserError
from app.models import GO_ON, Models
from app.music import MusicRequest
from app.music_synthesis import MusicMaker
from app.settings import Settings
from app.speech import SpeechRequest, VoiceRef

if TYPE_CHECKING:
    import calm_core

log = logging.getLogger(__name__)
WARM_UP_TEXT = "Ready."
KEPT_VOICES = 32  # cloned voices in memory


@dataclass(frozen=True)
class CodecResult:
    """A sound before and after the codec: int16 `[samples]` at `sample_rate` hertz, SI-SNR in decibels."""

    original: np.ndarray
    reconstructed: np.ndarray
    sample_rate: int
    si_snr_db: float
    seconds: float
    took_seconds: float
    frame_rate: float
    dimensions: int

    def figures(self) -> dict[str, float]:
        """What is told beside the two sounds."""
        names = ("seconds", "si_snr_db", "took_seconds", "frame_rate", "dimensions")
        return {name: getattr(self, name) for name in names}


class Synthesizer:
    """Loads models once, shares them between callers and turns engine errors into sentences."""

    def __init__(self, settings: Settings):
        """Loads nothing; `warm_up` does, in the background."""
        self._settings = settings
        self._ready = threading.Event()
        self._failure: str | None = None
        self.catalogue = Models(settings)
        self.music = MusicMaker(self.catalogue, settings)
        self._voices: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self._began = time.monotonic()
        self._warm_seconds: float | None = None

    def start_warm_up(self) -> threading.Thread:
        """Import the engine and load the default model in a background thread."""
        thread = threading.Thread(target=self._warm_up, name="warm-up", daemon=True)
        thread.start()
        return thread

    def _warm_up(self) -> None:
        self._began = time.monotonic()
        try:
            import torch  # noqa: F401 - takes seconds, and everything below needs it

            self.catalogue.imported.set()
            tts = self._tts(self._settings.default_model)
            voice = tts.voice(self._default_voice(tts))
            for _ in tts.stream(WARM_UP_TEXT, voice=voice, seed=0):
                pass
        except Exception as error:
            told = isinstance(error, UserError) or is_input_error(error)
            self._failure = str(error) if told else "the engine could not be loaded; see the log."
            log.error("The warm-up failed: %s", self._failure, exc_info=None if told else error)
        self.catalogue.imported.set()
        self._warm_seconds = round(time.monotonic() - self._began, 2)
        self._ready.set()
        with suppress(Exception):  # its tab tells what is wrong, when somebody opens it
            self.catalogue.load(self._settings.default_codec, "codec")

    def health(self) -> dict[str, Any]:
        """Status `warming`, `ready` or `failed`, the models in memory and the seconds that warming up took."""
        status = "warming" if not self._ready.is_set() else "failed" if self._failure else "ready"
        return {
            "status": status,
            "detail": self._failure,
            "models": self.catalogue.in_memory(),
            "warm_up_seconds": self._warm_seconds,
        }

    def wait(self, report: Report | None = None) -> None:
        """Wait until the warm-up has ended.

        Raises:
            NotReadyError: it takes longer than the settings allow.
        """
        if self._ready.is_set():
            return
        if report:
            report("The speech engine is starting", None)
        if not self._ready.wait(self._settings.warm_up_timeout_seconds):
            raise NotReadyError("it is still starting, please try again in a minute.")

    def defaults(self, model: str) -> dict[str, Any]:
        """Default sampling parameters of a model, and whether it can change the speaking rate."""
        with sentences():
            tts = self._tts(model)
            return {**asdict(tts.defaults), "has_speed": tts.native_speed}

    def voices(self, model: str, report: Report | None = None) -> list[dict[str, Any]]:
        """The preset voices of a model with name, language, licence, description and source; loads the model."""
        with sentences():
            return [asdict(voice) for voice in self._tts(model, report).voices()]

    def notice(self, model: str) -> str:
        """One sentence about the weights of a model that is in use."""
        with sentences():
            return self._tts(model).notice

    def default_voice(self, model: str) -> str:
        """The voice that a model speaks with when none is asked for."""
        with sentences():
            return self._default_voice(self._tts(model))

    def _default_voice(self, tts: calm_core.TextToSpeech) -> str:
        names = [voice.name for voice in tts.voices()]
        if not names:
            raise UserError("This model has no preset voices; use a recording.", code="unknown_voice", param="voice")
        return self._settings.default_voice if self._settings.default_voice in names else names[0]

    def fingerprint(self, model: str) -> str:
        """Changes whenever the files of a model change; see `Models.fingerprint`."""
        return self.catalogue.fingerprint(model)

    def speak(
        self, request: SpeechRequest | ContinuationRequest | MusicRequest, stop: threading.Event, report: Report
    ) -> Iterator[tuple[int, np.ndarray, dict[str, Any]]]:
        """Yield sample rate in hertz, float32 samples `[samples]` and the parameters in effect.

        Of music samples are `[variants, samples]`. Of a continuation the prompt comes first; `prompt_end` is the
        second where it ends, and `words` are those thought of so far.

        Raises:
            UserError: the model, the voice, the text or the prompt cannot be used.
        """
        with sentences():
            self.wait(report)
            if isinstance(request, ContinuationRequest):
                yield from self._go_on(request, stop, report)
                return
            if isinstance(request, MusicRequest):
                yield from self.music.play(request, stop, report)
                return
            tts = self._tts(request.model, report)
            stream = tts.stream(
                request.text,
                self._voice(tts, request.model, request.voice, report),
                seed=request.seed,
                temperature=request.temperature,
                steps=request.steps,
                cfg=request.cfg,
                speed=request.speed,
                stop=stop,
            )
            with stream:
                for chunk in stream:
                    yield tts.sample_rate, chunk.numpy(), stream.meta

    def _go_on(
        self, request: ContinuationRequest, stop: threading.Event, report: Report
    ) -> Iterator[tuple[int, np.ndarray, dict[str, Any]]]:
        if not self.catalogue.is_loaded(request.model, GO_ON):
            report("Loading the model", None)
        model = self.catalogue.load(request.model, GO_ON, report)
        with sentences(param="prompt"):
            ready = model.prompt(self._head(request))
        stream = model.stream(
            ready,
            request.seconds,
            seed=request.seed,
            temperature=request.temperature,
            steps=request.steps,
            text_temperature=request.text_temperature,
            top_k=request.top_k,
            stop=stop,
        )
        with stream:
            for chunk in stream:
                words = [asdict(word) for word in stream.words]
                yield model.sample_rate, chunk.numpy(), {**continued(stream.meta), "words": words}

    def _head(self, request: ContinuationRequest) -> Any:
        """The first `prompt_seconds` of the recording, as the engine's audio."""
        audio = self._read(request.prompt.path, "The prompt")
        head = audio.samples[: round(request.prompt_seconds * audio.sample_rate)]
        return self.catalogue.engine().Audio(head, audio.sample_rate)

    def check_reference(self, path: Path) -> float:
        """Seconds of a recording that a voice can be cloned from.

        Raises:
            UserError: not readable, too short, too long or silent.
        """
        with sentences(param="voice"):
            return self._read(path, "The recording").seconds

    def _read(self, path: Path | None, name: str) -> Any:
        assert path is not None
        limits = self._settings
        return self.catalogue.engine().read_audio(
            path, min_seconds=limits.min_prompt_seconds, max_seconds=limits.max_prompt_seconds, name=name
        )

    def reconstruct(self, path: Path, model: str | None = None) -> CodecResult:
        """Send the sound of a file through a codec.

        Raises:
            UserError: the sound or the codec cannot be used.
        """
        with sentences(param="file"):
            longest = self._settings.max_codec_seconds
            audio = self.catalogue.engine().read_audio(path, max_seconds=longest, name="The sound")
            return self.through_codec(audio, model or self._settings.default_codec)

    def through_codec(self, audio: Any, model: str) -> CodecResult:
        """Send the engine's audio, in one channel, through the codec of a model.

        Raises:
            UserError: the model cannot be used.
        """
        from calm_core.audio import Audio, resample

        with sentences(param="model"):
            codec = self.catalogue.load(model, "codec")
            original = Audio(resample(audio.samples, audio.sample_rate, codec.sample_rate), codec.sample_rate)
            began = time.monotonic()
            rebuilt = codec.reconstruct(original)
            took = time.monotonic() - began
        before, after = original.samples.double().numpy(), rebuilt.samples.double().numpy()
        count = min(len(before), len(after))
        before, after = before[:count], after[:count]
        return CodecResult(
            original=to_int16(before),
            reconstructed=to_int16(after),
            sample_rate=codec.sample_rate,
            si_snr_db=round(si_snr_db(before, after), 2),
            seconds=round(count / codec.sample_rate, 3),
            took_seconds=round(took, 3),
            frame_rate=codec.frame_rate,
            dimensions=codec.latent_dim,
        )

    def export(self, samples: np.ndarray, sample_rate: int, path: Path, metadata: dict[str, str]) -> None:
        """Write int16 `samples` `[samples]` to `path`, in the format of its ending, with `metadata` inside."""
        import torch

        with sentences():
            engine = self.catalogue.engine()
            sound = engine.Audio(torch.from_numpy(samples.astype(np.float32) / 32767.0), sample_rate)
            engine.write_audio(path, sound, format=path.suffix.lstrip("."), metadata=metadata)

    def _tts(self, model: str, report: Report | None = None) -> Any:
        return self.catalogue.load(model, "tts", report)

    def _voice(self, tts: Any, model: str, ref: VoiceRef, report: Report) -> Any:
        if ref.path is None:
            names = [voice.name for voice in tts.voices()]
            if ref.name not in names:  # the engine would also take the path of a file, which is not for visitors
                offered = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
                raise UserError(
                    f"There is no voice '{ref.name[:60]}' for this model; it has {offered}.",
                    code="unknown_voice",
                    param="voice",
                )
            return tts.voice(ref.name, download_report(report))
        key = (model, ref.sha256 or str(ref.path))
        if key not in self._voices:
            self._voices[key] = tts.voice(ref.path)
            while len(self._voices) > KEPT_VOICES:
                self._voices.popitem(last=False)
        return self._voices[key]


def si_snr_db(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Scale-invariant signal-to-noise ratio of `[samples]` in decibels (Le Roux et al. 2019, equation 3)."""
    reference = reference - reference.mean()
    estimate = estimate - estimate.mean()
    target = reference * (estimate @ reference) / max(float(reference @ reference), 1e-12)
    noise = estimate - target
    return float(10 * np.log10(max(float(target @ target), 1e-12) / max(float(noise @ noise), 1e-12)))
