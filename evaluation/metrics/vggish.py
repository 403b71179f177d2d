"""VGGish (Hershey et al. 2017), whose embeddings the Frechet audio distance was first measured with.

The weights are a safetensors file with the names and shapes of harritaylor/torchvggish: its state dictionary, saved
once with `safetensors.torch.save_file`. Widths are read from the weights. As in Google's `frechet_audio_distance`,
embeddings are the last layer's output before any activation, without PCA and quantisation.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.metrics.weights import fill, load_weights

RATE = 16_000
PATCH = 96
"""Frames of a patch: 0.96 s."""
_WINDOW, _HOP, _FFT, _BANDS = 400, 160, 512, 64
_LOW_HZ, _HIGH_HZ, _OFFSET = 125.0, 7500.0, 0.01
_CONVOLUTIONS = (0, 3, 6, 8, 11, 13)
_POOLS = (0, 3, 8, 13)  # convolutions that pooling follows
_BATCH = 32


def _mel(hertz: np.ndarray | float) -> Any:
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)


def _filters() -> np.ndarray:
    """Triangles on the mel axis, `[257, 64]`; the bin at 0 Hz is in none."""
    edges = np.linspace(_mel(_LOW_HZ), _mel(_HIGH_HZ), _BANDS + 2)
    bins = _mel(np.linspace(0, RATE / 2, _FFT // 2 + 1))[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    found = np.maximum(0.0, np.minimum(rising, falling))
    found[0] = 0.0
    return found


def log_mel_patches(samples: np.ndarray) -> np.ndarray:
    """Input of the network, `[N, 96, 64]`, of samples `[T]` at 16 kHz; a last part under 0.96 s is left out."""
    if len(samples) < _WINDOW:
        return np.empty((0, PATCH, _BANDS))
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP] * taper
    mel = np.log(np.abs(np.fft.rfft(frames, _FFT, axis=1)) @ _filters() + _OFFSET)
    count = len(mel) // PATCH
    return mel[: count * PATCH].reshape(count, PATCH, _BANDS)


def _network(weights: Mapping[str, Any]) -> Any:
    """Modules `features` and `embeddings`, as wide as the weights are."""
    from torch import nn

    features: list[nn.Module] = []
    for place in _CONVOLUTIONS:
        after, before = weights[f"features.{place}.weight"].shape[:2]
        features += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
        if place in _POOLS:
            features.append(nn.MaxPool2d(2))
    linear = [nn.Linear(*reversed(weights[f"embeddings.{place}.weight"].shape)) for place in (0, 2, 4)]
    embeddings = nn.Sequential(linear[0], nn.ReLU(), linear[1], nn.ReLU(), linear[2])
    return nn.ModuleDict({"features": nn.Sequential(*features), "embeddings": embeddings})


class Vggish:
    """The loaded network.

    Args:
        source: See `weights.find_weights`.
        device: A torch device.

    Raises:
        InputError: No such file, or one with other weights.
    """

    def __init__(self, source: str, device: str = "cpu"):
        weights = load_weights(source, "The embedder vggish")
        try:
            self._parts = _network(weights)
        except (KeyError, TypeError) as error:
            raise InputError(
                f"{source} does not hold the weights of VGGish ({error} is missing or of another shape); give the "
                f"state of harritaylor/torchvggish as safetensors."
            ) from error
        fill(self._parts, weights, source, "VGGish", ("features", "embeddings"))
        self._parts.to(device)
        self._device = device

    def __call__(self, clip: Clip) -> np.ndarray:
        """One embedding per 0.96 s of a clip, `[W, 128]`.

        Raises:
            InputError: The clip is shorter than a patch.
        """
        import torch

        patches = torch.from_numpy(log_mel_patches(clip.at(RATE))).float()
        if not len(patches):
            raise InputError(f"{clip.item} lasts {clip.seconds:.2f} s; VGGish needs at least 0.975 s.")
        found = []
        with torch.inference_mode():
            for batch in patches.to(self._device).split(_BATCH):
                maps = self._parts["features"](batch[:, None])  # [N, channels, time, bands]
                # the weights come from TensorFlow, where channels are the fastest axis
                found.append(self._parts["embeddings"](maps.permute(0, 2, 3, 1).flatten(1)).cpu().numpy())
        return np.concatenate(found)
