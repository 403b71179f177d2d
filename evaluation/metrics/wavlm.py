"""Speaker embeddings of WavLM with an x-vector head (Chen et al. 2022), through `transformers`."""

import numpy as np

from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.metrics.pretrained import load_pretrained

_RATE = 16_000
_SHORTEST_SEC = 0.5  # under this the dilated layers of the head have no frame left


class WavLM:
    """A loaded `WavLMForXVector`, such as microsoft/wavlm-base-plus-sv.

    Raises:
        InputError: See `load_pretrained`.
    """

    def __init__(self, source: str, device: str = "cpu"):
        self.model, self.extractor = load_pretrained(
            "WavLMForXVector", "Wav2Vec2FeatureExtractor", source, device, "The speaker model wavlm"
        )

    def embedding(self, clip: Clip) -> np.ndarray:
        """The speaker embedding of a clip: float32 `[D]` of length 1; silences stay in.

        Raises:
            InputError: The clip is silent or shorter than half a second.
        """
        import torch

        samples = clip.at(_RATE).astype(np.float32)
        if not samples.any() or len(samples) < _SHORTEST_SEC * _RATE:
            raise InputError(f"No voice was found in {clip.item}; WavLM needs at least {_SHORTEST_SEC} s of speech.")
        inputs = self.extractor(samples, sampling_rate=_RATE, return_tensors="pt").to(self.model.device)
        with torch.inference_mode():
            vector = self.model(**inputs).embeddings[0].float().cpu().numpy()
        return vector / np.linalg.norm(vector)
