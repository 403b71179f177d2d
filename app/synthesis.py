"""The engine behind the pages: models in memory, voices, speech and codec. The only importer of `calm_core`."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.errors import NotReadyError, UserError
from app.settings import ASSETS, Settings
from app.speech import SpeechRequest, VoiceRef

if TYPE_CHECKING:
    import calm_core

log = logging.getLogger(__name__)
Report = Callable[[str, "float | None"], None]
WARM_UP_TEXT = "Ready."


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


class Synthesizer:
    """Loads models once, shares them between callers and turns engine errors into sentences."""

    def __init__(self, settings: Settings):
        """Loads nothing; `warm_up` does, in the background."""
        self._settings = settings
        self._imported = threading.Event()
        self._ready = threading.Event()
        self._failure: str | None = None
        self._lock = threading.Lock()
        self._loading: dict[str, threading.Lock] = {}
        self._models: OrderedDict[str, Any] = OrderedDict()
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
            import calm_core  # noqa: F401, PLC0415 - importing torch takes seconds

            self._imported.set()
            tts = self._tts(self._settings.default_model)
            voice = tts.voice(self._default_voice(tts))
            for _ in tts.stream(WARM_UP_TEXT, voice=voice, seed=0):
                pass
        except Exception as error:
            log.exception("The warm-up failed")
            self._failure = str(error) if _is_input_error(error) else "the engine could not be loaded; see the log."
        self._imported.set()
        self._warm_seconds = round(time.monotonic() - self._began, 2)
        self._ready.set()

    def health(self) -> dict[str, Any]:
        """Status `warming`, `ready` or `failed`, the models in memory and the seconds that warming up took."""
        status = "warming" if not self._ready.is_set() else "failed" if self._failure else "ready"
        return {
            "status": status,
            "detail": self._failure,
            "models": list(self._models),
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

    def _engine(self) -> Any:
        self._imported.wait(self._settings.warm_up_timeout_seconds)
        import calm_core  # noqa: PLC0415

        return calm_core

    def models(self) -> list[dict[str, Any]]:
        """Every model with id, task, title, parameters, source, licence and language."""
        with sentences():
            known = [_plain(info) for info in self._engine().list_models()]
            for path in self._settings.extra_models:
                known.append({**known[0], "id": str(path), "title": path.stem, "parameters": None, "task": "tts"})
            return known

    def defaults(self, model: str) -> dict[str, Any]:
        """Default sampling parameters of a model, and whether it can change the speaking rate."""
        with sentences():
            tts = self._tts(model)
            return {**_plain(tts.defaults), "has_speed": _can_change_speed(tts)}

    def voices(self, model: str, report: Report | None = None) -> list[dict[str, Any]]:
        """The preset voices of a model with name, language, licence, description and source; loads the model."""
        with sentences():
            return [_plain(voice) for voice in self._tts(model, report).voices()]

    def default_voice(self, model: str) -> str:
        """The voice that a model speaks with when none is asked for."""
        with sentences():
            return self._default_voice(self._tts(model))

    def _default_voice(self, tts: calm_core.TTS) -> str:
        names = [voice.name for voice in tts.voices()]
        return self._settings.default_voice if self._settings.default_voice in names else names[0]

    def fingerprint(self, model: str) -> str:
        """Changes whenever the files of a model change; a pinned model of the Hub is known by its name."""
        folder = ASSETS / "checkpoints" / model
        folder = folder if folder.is_dir() else Path(model)
        files = sorted(folder.glob("*")) if folder.is_dir() else [folder] if folder.exists() else []
        stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
        return hashlib.sha256(repr((model, stats)).encode()).hexdigest()

    def speak(
        self, request: SpeechRequest, stop: threading.Event, report: Report
    ) -> Iterator[tuple[int, np.ndarray, dict[str, Any]]]:
        """Yield sample rate in hertz, float32 samples `[samples]` and the parameters in effect.

        Raises:
            UserError: the model, the voice or the text cannot be used.
        """
        with sentences():
            self.wait(report)
            tts = self._tts(request.model, report)
            voice = self._voice(tts, request.model, request.voice)
            asked = {"temperature": request.temperature, "steps": request.steps, "cfg": request.cfg}
            defaults = _plain(tts.defaults)
            in_effect = {name: defaults.get(name) if value is None else value for name, value in asked.items()}
            for chunk in tts.stream(
                request.text, voice=voice, seed=request.seed, speed=request.speed, stop=stop, **asked
            ):
                yield tts.sample_rate, chunk.detach().cpu().numpy(), in_effect

    def check_reference(self, path: Path) -> float:
        """Seconds of a recording that a voice can be cloned from.

        Raises:
            UserError: not readable, too short, too long or silent.
        """
        with sentences(param="voice"):
            limits = self._settings
            audio = self._read(path, limits.min_prompt_seconds, limits.max_prompt_seconds)
            return audio.samples.shape[-1] / audio.sample_rate

    def reconstruct(self, path: Path, model: str | None = None) -> CodecResult:
        """Send a sound through a codec.

        Raises:
            UserError: the sound or the codec cannot be used.
        """
        with sentences(param="file"):
            codec = self._load(model or self._settings.default_codec, "codec", None)
            audio = self._read(path, 0.0, self._settings.max_codec_seconds)
            original = self._engine().audio.resample(self._engine().audio.to_mono(audio), codec.sample_rate)
            began = time.monotonic()
            latents = codec.encode(original)
            rebuilt = codec.decode(latents)
            took = time.monotonic() - began
            before, after = _mono(original.samples), _mono(rebuilt.samples)
            count = min(len(before), len(after))
            before, after = before[:count], after[:count]
            return CodecResult(
                original=_int16(before),
                reconstructed=_int16(after),
                sample_rate=codec.sample_rate,
                si_snr_db=round(si_snr_db(before, after), 2),
                seconds=round(count / codec.sample_rate, 3),
                took_seconds=round(took, 3),
                frame_rate=codec.frame_rate,
                dimensions=int(latents.shape[-1]),
            )

    def export(self, samples: np.ndarray, sample_rate: int, path: Path, metadata: dict[str, str]) -> None:
        """Write int16 `samples` `[samples]` to `path`, in the format of its ending, with `metadata` inside."""
        audio = self._engine().audio
        import torch  # noqa: PLC0415

        sound = audio.Audio(torch.from_numpy(samples.astype(np.float32) / 32767.0), sample_rate)
        audio.write_audio(path, sound, format=path.suffix.lstrip("."), metadata=metadata)

    def _read(self, path: Path, min_seconds: float, max_seconds: float) -> Any:
        audio = self._engine().audio.read_audio(path)
        seconds = audio.samples.shape[-1] / audio.sample_rate
        if seconds < min_seconds:
            raise UserError(f"The sound lasts {seconds:.1f} s and at least {min_seconds:g} s are needed: record more.")
        if seconds > max_seconds:
            raise UserError(f"The sound lasts {seconds:,.0f} s and the limit is {max_seconds:g} s: cut a part of it.")
        return audio

    def _tts(self, model: str, report: Report | None = None) -> Any:
        return self._load(model, "tts", report)

    def _load(self, model: str, task: str, report: Report | None) -> Any:
        with self._lock:
            if model in self._models:
                self._models.move_to_end(model)
                return self._models[model]
            gate = self._loading.setdefault(model, threading.Lock())
        with gate:  # one load at a time for each model
            if model in self._models:
                return self._models[model]
            loaded = self._engine().load(model, task=task, progress=report)
            with self._lock:
                self._models[model] = loaded
                while len(self._models) > self._settings.loaded_models:
                    self._models.popitem(last=False)
            return loaded

    def _voice(self, tts: Any, model: str, ref: VoiceRef) -> Any:
        if ref.path is None:
            return tts.voice(ref.name)
        key = (model, ref.sha256 or str(ref.path))
        if key not in self._voices:
            self._voices[key] = tts.voice(ref.path)
            while len(self._voices) > 32:
                self._voices.popitem(last=False)
        return self._voices[key]


@contextmanager
def sentences(param: str | None = None) -> Iterator[None]:
    """Turn the engine's input errors into errors for people."""
    try:
        yield
    except UserError as error:
        error.param = error.param or param
        raise
    except Exception as error:
        if not _is_input_error(error):
            raise
        raise UserError(str(error), param=param) from error


def si_snr_db(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Scale-invariant signal-to-noise ratio of `[samples]` in decibels (Le Roux et al. 2019, equation 3)."""
    reference = reference - reference.mean()
    estimate = estimate - estimate.mean()
    target = reference * (estimate @ reference) / max(float(reference @ reference), 1e-12)
    noise = estimate - target
    return float(10 * np.log10(max(float(target @ target), 1e-12) / max(float(noise @ noise), 1e-12)))


def _is_input_error(error: BaseException) -> bool:
    return any(kind.__module__ == "calm_core.errors" for kind in type(error).__mro__)


def _can_change_speed(tts: Any) -> bool:
    return bool(getattr(tts, "has_speed", False))


def _plain(record: Any) -> dict[str, Any]:
    return record.model_dump() if hasattr(record, "model_dump") else asdict(record)


def _mono(samples: Any) -> np.ndarray:
    array = samples.detach().cpu().numpy().astype(np.float64)
    return array if array.ndim == 1 else array.mean(axis=0)


def _int16(samples: np.ndarray) -> np.ndarray:
    return np.round(np.clip(samples, -1.0, 1.0) * 32767.0).astype(np.int16)
