"""Whisper (Radford et al. 2022) as the recogniser, through `transformers`; greedy, in English, 30 s at a time."""

from itertools import pairwise

import numpy as np

from evaluation.clips import Clip
from evaluation.metrics.pretrained import load_pretrained

_RATE = 16_000
_WINDOW_SEC = 30.0
_SEARCH_SEC = 5.0
_FRAME_SEC = 0.1


def quiet_cuts(samples: np.ndarray, sample_rate: int) -> list[tuple[int, int]]:
    """Parts `(start, stop)` of at most 30 s, each cut where the last 5 s of its window are quietest.

    A word is cut in two only where a speaker makes no pause in all of those 5 s.

    Args:
        samples: `[T]`.
        sample_rate: Hz.
    """
    window, search, frame = (round(seconds * sample_rate) for seconds in (_WINDOW_SEC, _SEARCH_SEC, _FRAME_SEC))
    cuts = [0]
    while len(samples) - cuts[-1] > window:
        start = cuts[-1] + window - search
        frames = samples[start : start + search // frame * frame].reshape(-1, frame)
        cuts.append(start + int((frames**2).sum(axis=1).argmin()) * frame + frame // 2)
    return list(pairwise([*cuts, len(samples)]))


class Whisper:
    """A loaded Whisper model.

    Raises:
        InputError: See `load_pretrained`.
    """

    def __init__(self, source: str, device: str = "cpu"):
        self.model, self.processor = load_pretrained(
            "WhisperForConditionalGeneration", "WhisperProcessor", source, device, "The recogniser whisper"
        )
        # models for English alone refuse to be told the language
        several = getattr(self.model.generation_config, "is_multilingual", False)
        self._told = {"language": "en", "task": "transcribe"} if several else {}

    def transcribe(self, clip: Clip) -> str:
        """What it hears; an empty string for silence, where Whisper would invent words."""
        import torch

        samples = clip.at(_RATE).astype(np.float32)
        heard = []
        for start, stop in quiet_cuts(samples, _RATE):
            if not samples[start:stop].any():
                continue
            features = self.processor(
                samples[start:stop], sampling_rate=_RATE, return_tensors="pt", return_attention_mask=True
            ).to(self.model.device)
            with torch.inference_mode():
                tokens = self.model.generate(**features, **self._told, do_sample=False, num_beams=1)
            heard.append(self.processor.batch_decode(tokens, skip_special_tokens=True)[0].strip())
        return " ".join(filter(None, heard))
