"""CNN14 of PANNs (Kong et al. 2020): probabilities of AudioSet's 527 classes.

The weights are a safetensors file with the names and shapes of `Cnn14_mAP=0.431.pth` by qiuqiangkong: the dictionary
under its key `model`, saved once with `safetensors.torch.save_file`. Widths are read from the weights, and so are the
mel filters (`logmel_extractor.melW`).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.metrics.weights import fill, load_weights

_RATE, _WINDOW, _HOP = 32_000, 1024, 320
_BLOCKS = 6
_SHORTEST_SEC = 0.32  # one value of each map is left after five poolings


def _network(weights: Mapping[str, Any]) -> Any:
    """All layers under their published names, as wide as the weights are."""
    from torch import nn

    parts: dict[str, nn.Module] = {"bn0": nn.BatchNorm2d(len(weights["bn0.weight"]))}
    for number in range(1, _BLOCKS + 1):
        layers: dict[str, nn.Module] = {}
        for place in (1, 2):
            after, before = weights[f"conv_block{number}.conv{place}.weight"].shape[:2]
            layers[f"conv{place}"] = nn.Conv2d(before, after, 3, padding=1, bias=False)
            layers[f"bn{place}"] = nn.BatchNorm2d(after)
        parts[f"conv_block{number}"] = nn.ModuleDict(layers)
    for name in ("fc1", "fc_audioset"):
        parts[name] = nn.Linear(*reversed(weights[f"{name}.weight"].shape))
    return nn.ModuleDict(parts)


class Cnn14:
    """The loaded tagger.

    Args:
        source: See `weights.find_weights`.
        device: A torch device.

    Raises:
        InputError: No such file, or one with other weights.
    """

    def __init__(self, source: str, device: str = "cpu"):
        weights = load_weights(source, "The tagger pann")
        try:
            self._parts = _network(weights)
            self._filters = weights["logmel_extractor.melW"].float().to(device)
        except (KeyError, TypeError) as error:
            raise InputError(
                f"{source} does not hold the weights of CNN14 ({error} is missing or of another shape); give the state "
                f"of Cnn14_mAP=0.431 as safetensors."
            ) from error
        fill(self._parts, weights, source, "CNN14", tuple(self._parts.keys()))
        self._parts.to(device)
        self._device = device

    def logits(self, clip: Clip) -> np.ndarray:
        """Of each class, `[K]`, for the whole clip; their logistic function is what the network was trained on.

        Raises:
            InputError: The clip is shorter than 0.32 s.
        """
        import torch
        from torch.nn import functional

        if clip.seconds < _SHORTEST_SEC:
            raise InputError(f"{clip.item} lasts {clip.seconds:.2f} s; CNN14 needs at least {_SHORTEST_SEC} s.")
        samples = torch.from_numpy(clip.at(_RATE)).float().to(self._device)
        taper = torch.hann_window(_WINDOW, device=self._device)
        with torch.inference_mode():
            spectrum = torch.stft(samples, _WINDOW, _HOP, window=taper, pad_mode="reflect", return_complex=True)
            power = spectrum.abs().square().T @ self._filters  # [T, bands]
            decibels = 10 * power.clamp_min(1e-10).log10()
            maps = self._parts["bn0"](decibels.T[None, :, :, None]).permute(0, 3, 2, 1)  # [1, 1, T, bands]
            for number in range(1, _BLOCKS + 1):
                block = self._parts[f"conv_block{number}"]
                maps = functional.relu(block["bn1"](block["conv1"](maps)))
                maps = functional.relu(block["bn2"](block["conv2"](maps)))
                if number < _BLOCKS:
                    maps = functional.avg_pool2d(maps, 2)
            frames = maps.mean(dim=3)  # [1, channels, T']
            pooled = frames.amax(dim=2) + frames.mean(dim=2)
            found = self._parts["fc_audioset"](functional.relu(self._parts["fc1"](pooled)))
        return found[0].cpu().numpy()

    def __call__(self, clip: Clip) -> list[np.ndarray]:
        """One distribution over the classes: the softmax of the logits, as KLD takes it (see `tagging.kld`)."""
        scores = self.logits(clip).astype(float)
        shares = np.exp(scores - scores.max())
        return [shares / shares.sum()]
