"""What turns a clip into embeddings for the Frechet audio distance, the CLAP score and classifiers of attributes.

Shapes: W frames or windows of a clip, E width of an embedding.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from evaluation.clips import Clip, make_clip
from evaluation.errors import InputError

DEFAULT = "clap"
BUNDLED_CLAP = "calm-clap-music"


class Embedder(Protocol):
    """Embeddings of the parts of a clip."""

    def __call__(self, clip: Clip) -> np.ndarray:
        """`[W, E]` with at least one row, finite.

        Raises:
            InputError: The clip is too short or silent.
        """
        ...


@runtime_checkable
class TextEmbedder(Protocol):
    """An embedder with a text tower, whose texts and sounds share one space."""

    def __call__(self, clip: Clip) -> np.ndarray:
        """`[W, E]`; see `Embedder`."""
        ...

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        """`[B, E]`, rows of length 1."""
        ...


def mean_direction(frames: np.ndarray) -> np.ndarray:
    """One vector `[E]` of length 1 for a clip: the mean of its frames `[W, E]`, brought to length 1."""
    mean = np.asarray(frames, dtype=float).mean(axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-12)


_MEL_RATE, _MEL_BANDS = 16_000, 20


def mel_statistics(clip: Clip) -> np.ndarray:
    """Mean and standard deviation of 20 log-mel amplitudes in each second of a clip, `[W, 40]`; a last part is left.

    It needs no model. It hears timbre and level but neither harmony nor rhythm, so it is a check more than a judge.
    """
    from evaluation.metrics.signal import log_mel_frames

    samples = clip.at(_MEL_RATE)
    whole = len(samples) // _MEL_RATE * _MEL_RATE
    seconds = samples[:whole].reshape(-1, _MEL_RATE) if whole else samples[None]
    found = []
    for second in seconds:
        frames = log_mel_frames(second, _MEL_RATE, 512, 256, _MEL_BANDS)
        found.append(np.concatenate([frames.mean(axis=0), frames.std(axis=0)]))
    return np.array(found)


def reference_sound() -> Clip:
    """Ten seconds of a chord that glides up and swells, the same on every machine.

    By what an embedder makes of it, another one of the same name is told apart.
    """
    time = np.arange(10 * _MEL_RATE) / _MEL_RATE
    phase = 2 * np.pi * 110 * 10 / np.log(8) * (8 ** (time / 10) - 1)  # 110 to 880 Hz
    partials = [np.sin(ratio * phase) / ratio for ratio in (1, 1.25, 1.5, 2, 3, 4)]
    return make_clip("reference sound", 0.1 * np.sum(partials, axis=0) * np.sin(2 * np.pi * time) ** 2, _MEL_RATE)


class Clap:
    """Windows of a clip, and texts, through a CLAP model of the engine.

    Args:
        model: What `calm_core.load(..., task="clap")` gives.

    Attributes:
        window_seconds: Length of the window that it hears at once.
    """

    def __init__(self, model: Any):
        self._model = model
        self.window_seconds: float = model.seconds

    def __call__(self, clip: Clip) -> np.ndarray:
        """Rows of length 1; see `Embedder`."""
        import torch

        import calm_core

        if not clip.samples.any():
            raise InputError(f"{clip.item} is silent; CLAP needs sound.")
        sound = calm_core.Audio(torch.from_numpy(clip.samples.astype(np.float32)), clip.sample_rate)
        try:
            return self._model.embed_windows(sound).numpy()
        except calm_core.InputError as error:
            raise InputError(f"{clip.item}: {error}") from error

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        """`[B, E]`, rows of length 1.

        Raises:
            InputError: A text that the model refuses.
        """
        import calm_core

        try:
            return self._model.embed_text(list(texts)).float().cpu().numpy()
        except calm_core.InputError as error:
            raise InputError(str(error)) from error


def _engine_clap(model: str, device: str) -> Clap:
    import calm_core

    load: Callable[..., Any] = calm_core.load
    try:
        return Clap(load(model, task="clap", device=device))
    except calm_core.InputError as error:
        raise InputError(f"The CLAP model {model!r} cannot be used ({error}); --embedder mel needs none.") from error


class _Remembered:
    """An embedder that keeps what it found in the latest clips, since several metrics ask for the same."""

    def __init__(self, embedder: Embedder):
        self._found = lru_cache(maxsize=8)(embedder)

    def __call__(self, clip: Clip) -> np.ndarray:
        return self._found(clip)


class _RememberedTexts(_Remembered):
    def __init__(self, embedder: Clap):
        super().__init__(embedder)
        self.embed_text, self.window_seconds = embedder.embed_text, embedder.window_seconds


@lru_cache(maxsize=2)
def find_embedder(name: str, device: str = "cpu") -> Embedder:
    """The embedder of a name, loaded.

    Args:
        name: `clap` or `clap:MODEL` with a model of the engine, `mel`, `laion:MODEL` with a folder or a model of the
            Hub in the layout of `ClapModel`, `vggish:WEIGHTS` (see `weights.find_weights`).
        device: Where it runs.

    Raises:
        InputError: There is none of that name, or a package or file of it is missing.
    """
    kind, _, source = name.partition(":")
    if name == "mel":
        return mel_statistics
    if kind == "clap" and (source or name == kind):
        return _RememberedTexts(_engine_clap(source or BUNDLED_CLAP, device))
    if kind == "laion" and source:
        return _RememberedTexts(_engine_clap(source if Path(source).exists() else f"hf://{source}", device))
    if kind == "vggish" and source:
        from evaluation.metrics.vggish import Vggish

        return _Remembered(Vggish(source, device))
    raise InputError(
        f"There is no embedder {name!r}; choose clap, clap:MODEL, mel, laion:MODEL or vggish:FILE.safetensors."
    )


def find_text_embedder(name: str, device: str = "cpu") -> TextEmbedder:
    """The embedder of a name, which must have a text tower; see `find_embedder`.

    Raises:
        InputError: It has none, or see `find_embedder`.
    """
    embedder = find_embedder(name, device)
    if not isinstance(embedder, TextEmbedder):
        raise InputError(f"The embedder {name!r} reads no text; give --embedder clap, clap:MODEL or laion:MODEL.")
    return embedder
