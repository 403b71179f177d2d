"""What every CLAP offers, whoever trained it.

Shapes: B texts or sounds, W windows of one sound, E width of the space.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from calm_core.audio import Audio, peak, resample
from calm_core.catalogue import ModelInfo
from calm_core.clap.windows import mean_direction
from calm_core.conditioners.tokenizer import LoadedTokenizer
from calm_core.errors import InputError

MAX_CHARACTERS = 2000
LEAST_SECONDS, MAX_SECONDS = 0.5, 600.0
_SILENCE = 1e-4  # -80 dBFS, as for sound files
# A word of the captions that a tokenizer was trained on is one piece, or two where it is inflected.
_KNOWN_PIECES = 2


class Clap:
    """A loaded CLAP. Several callers may use it at once.

    Attributes:
        info: its line in the list of models.
        width: E.
        sample_rate: Hz that sounds are brought to.
        seconds: length of the window that is heard at once.
    """

    def __init__(self, info: ModelInfo, width: int, sample_rate: int, seconds: float):
        self.info, self.width, self.sample_rate, self.seconds = info, width, sample_rate, seconds

    @torch.inference_mode()
    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """Embeddings [B, E] of captions, float32 of length 1.

        Raises:
            InputError: there is no caption, or one is empty or too long.
        """
        if isinstance(texts, str):
            texts = [texts]
        if not texts:
            raise InputError("There is no caption to embed; give at least one.")
        return self._texts([_checked(text) for text in texts]).float().cpu()

    @torch.inference_mode()
    def embed_audio(self, audio: Audio | Sequence[Audio]) -> Tensor:
        """Embeddings [B, E] of sounds of any rate and number of channels, float32 of length 1.

        A sound longer than the window is the mean of its windows (see `windows`), of length 1 again.

        Raises:
            InputError: there is no sound, or one is silent, shorter than 0.5 s, longer than 600 s or not finite.
        """
        sounds = [audio] if isinstance(audio, Audio) else list(audio)
        if not sounds:
            raise InputError("There is no sound to embed; give at least one.")
        return torch.stack([mean_direction(self._windows(self._wave(sound, True))) for sound in sounds]).cpu()

    @torch.inference_mode()
    def embed_windows(self, audio: Audio) -> Tensor:
        """Embeddings [W, E] of the windows of one sound, float32 of length 1; one begins every half window.

        Raises:
            InputError: as for `embed_audio`, but silence has an embedding like any sound.
        """
        return self._windows(self._wave(audio, False)).float().cpu()

    def notices(self, texts: Sequence[str]) -> list[str]:
        """What a user should know about captions that are embedded all the same: one sentence each, or nothing."""
        found = []
        for text in texts:
            share = self._unknown_share(text)
            if share > 0.5:
                found.append(
                    f"Most words of the caption {_shown(text)} are unknown to '{self.info.id}', which knows captions "
                    "in English; what it hears in it means little."
                )
            tokens, limit = self._tokens(text)
            if tokens > limit:
                found.append(f"The caption {_shown(text)} has {tokens} tokens and only the first {limit} are read.")
        return found

    # What a subclass gives.

    def _texts(self, texts: list[str]) -> Tensor:
        """Embeddings [B, E] of checked captions."""
        raise NotImplementedError

    def _windows(self, wave: Tensor) -> Tensor:
        """Embeddings [W, E] of the windows of a wave [N] at `sample_rate`."""
        raise NotImplementedError

    def _unknown_share(self, text: str) -> float:
        """Share of a caption's words that the model has hardly met."""
        return 0.0

    def _tokens(self, text: str) -> tuple[int, int]:
        """Tokens of a caption, and the most that are read."""
        raise NotImplementedError

    def _wave(self, audio: Audio, heard: bool) -> Tensor:
        """A sound as one channel [N] at `sample_rate`; with `heard` there must be something to hear."""
        samples = audio.mono().samples.float().cpu()
        if not torch.isfinite(samples).all():
            raise InputError("The sound holds values that are not numbers; export it again.")
        if not LEAST_SECONDS <= audio.seconds <= MAX_SECONDS:
            raise InputError(
                f"The sound lasts {audio.seconds:.2f} s and CLAP hears {LEAST_SECONDS:g} to {MAX_SECONDS:g} s; "
                "give a longer recording, or cut out a part."
            )
        if heard and peak(samples) < _SILENCE:
            raise InputError("The sound is silent (its peak is below -80 dBFS); give one with something to hear.")
        return resample(samples, audio.sample_rate, self.sample_rate)


def tidy(text: str) -> str:
    """A caption as tokenizers of ours read it: lower case, single spaces."""
    return " ".join(text.lower().split())


def unknown_share(text: str, tokenizer: LoadedTokenizer) -> float:
    """Share of the words of a tidy caption that fall into more than two pieces or into unknown ones; numbers count not.

    Args:
        text: the caption.
        tokenizer: trained on captions, so that their words are whole.
    """
    words = [word.strip(".,;:!?'\"()") for word in text.split()]
    words = [word for word in words if any(character.isalpha() for character in word)]
    if not words:
        return 0.0
    pieces = [tokenizer.encode(word) for word in words]
    strange = [ids for ids in pieces if len(ids) > _KNOWN_PIECES or tokenizer.unknown in ids]
    return len(strange) / len(words)


def _checked(text: str) -> str:
    if not text.strip():
        raise InputError("The caption is empty; describe the sound in a few words.")
    if len(text) > MAX_CHARACTERS:
        raise InputError(
            f"The caption has {len(text):,} characters and the limit is {MAX_CHARACTERS:,}; describe the sound in a "
            "sentence or two."
        )
    return text


def _shown(text: str) -> str:
    short = " ".join(text.split())
    return f"'{short[:40]}...'" if len(short) > 40 else f"'{short}'"
