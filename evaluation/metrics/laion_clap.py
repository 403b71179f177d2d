"""CLAP models in the layout of `transformers.ClapModel`, such as laion/larger_clap_music (Wu et al. 2023)."""

from collections.abc import Sequence

import numpy as np

from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.metrics.embedders import windows
from evaluation.metrics.pretrained import load_pretrained

_BATCH = 8


class LaionClap:
    """A loaded `ClapModel`; clips are heard in windows of the length that it was trained on.

    Raises:
        InputError: See `load_pretrained`.
    """

    def __init__(self, source: str, device: str = "cpu"):
        self.model, self.processor = load_pretrained("ClapModel", "ClapProcessor", source, device, "The embedder laion")
        extractor = self.processor.feature_extractor
        self.sample_rate = int(extractor.sampling_rate)
        self.seconds = extractor.nb_max_samples / self.sample_rate

    def __call__(self, clip: Clip) -> np.ndarray:
        """Rows of length 1; see `embedders.Embedder`.

        Raises:
            InputError: The clip is silent.
        """
        import torch

        samples = clip.at(self.sample_rate).astype(np.float32)
        if not samples.any():
            raise InputError(f"{clip.item} is silent; CLAP needs sound.")
        parts = windows(samples, self.sample_rate, self.seconds)
        found = []
        for start in range(0, len(parts), _BATCH):
            inputs = self.processor.feature_extractor(
                parts[start : start + _BATCH], sampling_rate=self.sample_rate, return_tensors="pt"
            ).to(self.model.device)
            # the extractor marks a clip at random where none is longer than a window, for models with fusion
            inputs["is_longer"] = torch.zeros_like(inputs["is_longer"])
            with torch.inference_mode():
                found.append(self.model.get_audio_features(**inputs).pooler_output.float().cpu().numpy())
        return np.concatenate(found)

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        """`[B, E]`, rows of length 1; a text that is longer than the model reads is cut."""
        import torch

        inputs = self.processor.tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            found = self.model.get_text_features(**inputs.to(self.model.device)).pooler_output
        return found.float().cpu().numpy()
