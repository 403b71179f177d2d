"""Semantic distillation: latents from which one linear map finds what is being said.

    audio  ->  encoder  ->  latents  ->  linear map  ~  features of a teacher that knows speech

CALM's speech VAE (section 4.1, equation 2) takes Mimi's distillation of WavLM (Defossez et al. 2024) and applies it to
the whole latent; a codec with codebooks has it on its first level alone, as in Mimi. The loss is the cosine distance.
The features of a frame may look ahead although the codec cannot: the encoder then learns to foretell them.

Shapes: B rows, N samples, T frames of the codec, D latent width, F features of the teacher.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import soxr
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from calm_core.conditioners.aligned import PHONES
from calm_core.errors import InputError
from calm_core.hub import offline
from calm_core.training.data import Row
from calm_core.training.recipes import SemanticConfig

WAVLM_RATE, WAVLM_STRIDE, WAVLM_WINDOW = 16_000, 320, 400  # of its convolutions: 50 features a second
TRANSFORMERS = "transformers==5.23.0"
# The phones of flite without the padding of `PHONES`; silence first.
INVENTORY = tuple(PHONES[1:])
SILENCE = INVENTORY.index("pau")
# Weights of the previous frame, the frame itself and the next.
SMOOTHING = (0.25, 0.5, 0.25)


class Teacher(Protocol):
    """What knows what is said.

    Attributes:
        width: F.
    """

    width: int

    def features(self, wave: Tensor, origins: Sequence[tuple[Row, int]]) -> Tensor:
        """Features `[B, T, F]`, float32, one for each frame of the codec.

        Args:
            wave: `[B, N]`, pieces of utterances, with silence after those that are shorter.
            origins: The utterance of each piece, and its first sample there (see `data.Corpus.crops`).

        Raises:
            InputError: The teacher needs what an utterance does not have.
        """
        ...


class SemanticDistance(nn.Module):
    """The linear map and the loss. It trains with the codec, is kept in checkpoints, and is no part of the codec.

    Args:
        latent_dim: D.
        width: F.
    """

    def __init__(self, latent_dim: int, width: int):
        super().__init__()
        self.projection = nn.Linear(latent_dim, width)

    def forward(self, latents: Tensor, features: Tensor) -> Tensor:
        """Mean cosine distance, 0 to 2, of the mapped `latents [B, T, D]` from `features [B, T, F]`."""
        with torch.autocast(latents.device.type, enabled=False):
            return (1 - F.cosine_similarity(self.projection(latents.float()), features.float(), dim=-1)).mean()


def phone_shares(phones: Sequence[tuple[str, float]], start_sec: float, frames: int, frame_rate: float) -> Tensor:
    """Share `[frames, P]` of each frame's time that each phone of `INVENTORY` takes; rows sum to 1.

    Args:
        phones: Names and ends in seconds, in order.
        start_sec: Where the first frame begins; before the first phone and after the last there is silence.
        frames: T.
        frame_rate: Frames a second.

    Raises:
        InputError: A phone is not of the inventory.
    """
    for name, _ in phones:
        if name not in INVENTORY:
            raise InputError(f"'{name}' is no phone of flite; choose another teacher for this corpus.")
    ends = torch.tensor([end for _, end in phones], dtype=torch.float64)
    starts = F.pad(ends[:-1], (1, 0))
    borders = start_sec + torch.arange(frames + 1, dtype=torch.float64)[:, None] / frame_rate
    seconds = (torch.minimum(ends, borders[1:]) - torch.maximum(starts, borders[:-1])).clamp(min=0)  # [T, phones]
    shares = torch.zeros(frames, len(INVENTORY), dtype=torch.float64)
    shares.index_add_(1, torch.tensor([INVENTORY.index(name) for name, _ in phones]), seconds * frame_rate)
    shares[:, SILENCE] += 1 - shares.sum(1)
    return shares.float()


class PhoneTeacher:
    """Posteriors of phones from the times that flite gave to the corpus: the teacher that this project trains with.

    It needs no download and stands in for WavLM, whose features tell phones apart (and much else, which these do not).
    A feature is the share of a frame's time that a phone takes, smoothed over the neighbouring frames, so that two
    phones in a row leave a trace of their order.

    Args:
        sample_rate: Of the pieces, Hz.
        frame_rate: Of the codec, frames a second.
    """

    width = len(INVENTORY)

    def __init__(self, sample_rate: int, frame_rate: float):
        self.sample_rate, self.frame_rate = sample_rate, frame_rate
        self.kernel = torch.tensor(SMOOTHING)

    def features(self, wave: Tensor, origins: Sequence[tuple[Row, int]]) -> Tensor:
        """See `Teacher`; rows sum to 1."""
        frames = _frames(wave, self.sample_rate, self.frame_rate)
        return torch.stack([self._row(row, start, frames) for row, start in origins]).to(wave.device)

    def _row(self, row: Row, start: int, frames: int) -> Tensor:
        if not row.phones:
            raise InputError(
                f"The utterance {row.id} has no phone times; make the corpus with calm synthesize, or set "
                f"semantic.teacher to wavlm."
            )
        start_sec = start / self.sample_rate - 1 / self.frame_rate  # one frame more on each side
        shares = phone_shares(row.phones, start_sec, frames + 2, self.frame_rate)
        return torch.einsum("tpk,k->tp", shares.unfold(0, len(SMOOTHING), 1), self.kernel)


class WavLMTeacher:
    """The last hidden states of WavLM, 50 a second, averaged over twice the length of each frame of the codec.

    At 12.5 Hz these are Mimi's kernel of 8 and stride of 4. The weights stay as they are and in float32.

    Args:
        source: A folder in the Hub's layout (`config.json`, `preprocessor_config.json`, `model.safetensors`), or
            `owner/name[@revision]` on the Hub. With CALM_OFFLINE=1 the Hub is not asked.
        sample_rate: Of the pieces, Hz.
        frame_rate: Of the codec, frames a second.
        device: Where it runs.

    Raises:
        InputError: The package `transformers` is missing, there is no such model, its files are missing, damaged or of
            another kind of model, or the frame rate is not 50 or an even part of it.
    """

    def __init__(self, source: str, sample_rate: int, frame_rate: float, device: torch.device):
        steps = WAVLM_RATE / WAVLM_STRIDE / frame_rate
        if steps != 1 and steps % 2:
            raise InputError(
                f"The teacher wavlm has 50 features a second, which a codec of {frame_rate:g} frames a second cannot "
                f"share evenly; use 50, 25 or 12.5 frames a second, or set semantic.teacher to phones."
            )
        self.sample_rate, self.frame_rate, self.steps = sample_rate, frame_rate, int(steps)
        self.model, self.normalise = _load_wavlm(source)
        if sample_rate < WAVLM_RATE:
            raise InputError(f"The teacher wavlm hears {WAVLM_RATE} Hz and the corpus has {sample_rate} Hz.")
        self.model.to(device)
        self.width: int = self.model.config.hidden_size

    @torch.no_grad()
    def features(self, wave: Tensor, origins: Sequence[tuple[Row, int]]) -> Tensor:
        """See `Teacher`."""
        frames = _frames(wave, self.sample_rate, self.frame_rate)
        heard = soxr.resample(wave.float().cpu().numpy().T, self.sample_rate, WAVLM_RATE)
        samples = torch.from_numpy(heard.T.copy()).to(self.model.device)
        wanted = frames * self.steps * WAVLM_STRIDE
        samples = F.pad(samples, (0, wanted - samples.shape[1]))
        if self.normalise:  # as its feature extractor does, over each piece
            mean, variance = samples.mean(1, keepdim=True), samples.var(1, correction=0, keepdim=True)
            samples = (samples - mean) * torch.rsqrt(variance + 1e-7)
        # Centred windows: feature i stands for the samples from i to i + 1 strides.
        edge = (WAVLM_WINDOW - WAVLM_STRIDE) // 2
        with torch.autocast(samples.device.type, enabled=False):
            hidden = self.model(F.pad(samples, (edge, edge))).last_hidden_state.float()
        return pool(hidden, self.steps).to(wave.device)


def pool(features: Tensor, steps: int) -> Tensor:
    """Means `[B, T, F]` of `features [B, steps T, F]` over twice `steps` around each frame, fewer at the ends."""
    if steps == 1:
        return features
    pooled = F.avg_pool1d(features.transpose(1, 2), 2 * steps, steps, steps // 2, count_include_pad=False)
    return pooled.transpose(1, 2)


def build_teacher(config: SemanticConfig, sample_rate: int, frame_rate: float, device: torch.device) -> Teacher:
    """The teacher of a recipe.

    Raises:
        InputError: See `WavLMTeacher`.
    """
    if config.teacher == "phones":
        return PhoneTeacher(sample_rate, frame_rate)
    return WavLMTeacher(config.model, sample_rate, frame_rate, device)


def _frames(wave: Tensor, sample_rate: int, frame_rate: float) -> int:
    return -(-wave.shape[-1] // round(sample_rate / frame_rate))


def _load_wavlm(source: str) -> tuple[Any, bool]:
    """A frozen `WavLMModel` in evaluation mode, and whether it wants each piece at mean 0 and variance 1."""
    try:
        transformers: Any = import_module("transformers")
    except ImportError as error:
        raise InputError(
            f"The teacher wavlm needs a package that is missing ({error.name}): pip install {TRANSFORMERS}, or set "
            f"semantic.teacher to phones."
        ) from error
    name, _, revision = (source, "", "") if Path(source).exists() else source.partition("@")
    where: dict[str, Any] = {"local_files_only": offline(), **({"revision": revision} if revision else {})}
    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()  # it would report missing weights and go on with random ones
    transformers.utils.logging.disable_progress_bar()
    try:
        extractor = transformers.Wav2Vec2FeatureExtractor.from_pretrained(name, **where)
        model, report = transformers.WavLMModel.from_pretrained(
            name, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **where
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"The teacher wavlm cannot be had from {source!r} ({reason}); set semantic.model to a folder with "
            f"config.json, preprocessor_config.json and model.safetensors or to owner/name on the Hub, or "
            f"semantic.teacher to phones."
        ) from error
    finally:
        transformers.logging.set_verbosity(verbosity)
    if report["missing_keys"]:
        raise InputError(
            f"{source!r} lacks {len(report['missing_keys'])} weights of WavLM, the first is "
            f"{min(report['missing_keys'])}; set semantic.model to a WavLM such as microsoft/wavlm-large."
        )
    return model.eval().requires_grad_(False), bool(extractor.do_normalize)
