"""Voices: what a model remembers of a speaker, made from a recording or read from a file.

A voice file is the safetensors layout of pocket-tts 4.0.1: for each layer of the backbone
`transformer.layers.{i}.self_attn/cache` [2, 1, T, heads, width], `/offset` [1] and `/pad` [1]; files
go both ways between the two packages. Models whose text side keeps a summary of the speaker add it
as `voice/embedding`. The header names the model, because another one of the same shape would take the
file and speak as nobody.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from calm_core.conditioners.voice import end_in_pause
from calm_core.errors import InputError
from calm_core.model import CALM
from calm_core.sound_files import write_bytes
from calm_core.state import State
from calm_core.weights import read_metadata, read_tensors

_LAYER = "transformer.layers.{}.self_attn"
_MODEL = "calm_model"  # key in the header of a voice file
_SHORTEST_SECONDS = 0.5
_SILENCE_DB = -60.0


@dataclass(frozen=True)
class Voice:
    """A speaker as one model hears it; immutable, so any number of callers can share it.

    Attributes:
        name: for people.
        state: backbone state after the voice prompt (see `nn.transformer`).
        embedding: what the text side keeps of the prompt, or None.
        model: fingerprint of the model that hears it so; None for a file that does not say.
    """

    name: str
    state: State
    embedding: Tensor | None = None
    model: str | None = None

    def renamed(self, name: str) -> Voice:
        """The same voice under another name."""
        return replace(self, name=name)

    def save(self, path: str | Path) -> None:
        """Write the voice file, whole or not at all.

        Raises:
            InputError: the place cannot be written.
        """
        used = int(self.state["offset"])
        tensors: dict[str, Tensor] = {}
        for index in range(self.state["k"].shape[0]):
            layer = _LAYER.format(index)
            # [1, heads, T, width] each -> [2, 1, T, heads, width]
            pair = torch.stack([self.state["k"][index], self.state["v"][index]])
            tensors[f"{layer}/cache"] = pair[..., :used, :].transpose(2, 3).contiguous().cpu()
            tensors[f"{layer}/offset"] = torch.tensor([used])
            tensors[f"{layer}/pad"] = torch.tensor([0])
        if self.embedding is not None:
            tensors["voice/embedding"] = self.embedding.contiguous().cpu()
        write_bytes(Path(path), save(tensors, None if self.model is None else {_MODEL: self.model}))

    @staticmethod
    def load(path: str | Path, model: CALM, name: str | None = None) -> Voice:
        """Read a voice file for a model.

        Raises:
            InputError: the file is missing or damaged, or was made for another model.
        """
        path = Path(path)
        tensors = read_tensors(path)
        made_for = read_metadata(path).get(_MODEL)
        check_voice_model(made_for, model, f"file {path.name}")
        device = model.latent_mean.device
        transformer = model.backbone.transformer
        layers = len(transformer.layers)
        shape = (2, 1, transformer.num_kv_heads, transformer.head_dim)
        caches = [tensors.get(f"{_LAYER.format(i)}/cache") for i in range(layers)]
        extra = f"{_LAYER.format(layers)}/cache" in tensors
        fits = not extra and all(
            c is not None and c.ndim == 5 and (*c.shape[:2], *c.shape[3:]) == shape for c in caches
        )
        if not fits:
            raise _foreign(f"file {path.name}")
        used = _length(tensors)
        # [L, 2, 1, T, heads, width] -> two of [L, 1, heads, T, width]
        stacked = torch.stack([c for c in caches if c is not None])[:, :, :, :used].transpose(3, 4)
        if stacked.isnan().any():
            raise InputError(f"The voice file {path.name} is damaged: it holds unwritten steps.")
        state: State = {
            "k": stacked[:, 0].float().contiguous().to(device),
            "v": stacked[:, 1].float().contiguous().to(device),
            "offset": torch.tensor([used]),
            "base": torch.tensor([0]),
        }
        embedding = tensors.get("voice/embedding")
        return Voice(name or path.stem, state, None if embedding is None else embedding.to(device), made_for)


def _foreign(voice: str) -> InputError:
    return InputError(
        f"The voice {voice} was not made for this model; export the voice again from its recording with this model."
    )


def check_voice_model(made_for: str | None, model: CALM, voice: str) -> None:
    """Refuse the voice of another model; one that does not say whose it is passes.

    Args:
        made_for: fingerprint of the model that the voice was made for.
        model: which shall speak.
        voice: what to call the voice in errors.

    Raises:
        InputError: it was made for another model.
    """
    if made_for not in (None, _fingerprint(model)):
        raise _foreign(voice)


def _fingerprint(model: CALM) -> str:
    """Sixteen hexadecimal digits that another training, or another codec's latents, would change.

    They are of the norms and the latent statistics alone. Files keep those in 16 bits where the other weights have 8,
    and no layer packs them for a processor: copies of a model understand each other's voices.
    """
    vectors = {name: p for name, p in model.backbone.named_parameters() if "norm" in name}
    vectors |= {"latent_mean": model.latent_mean, "latent_std": model.latent_std}
    digest = hashlib.sha256()
    for name in sorted(vectors):
        digest.update(name.encode())
        digest.update(vectors[name].detach().half().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _length(tensors: dict[str, Tensor]) -> int:
    layer = _LAYER.format(0)
    if f"{layer}/offset" in tensors:
        return int(tensors[f"{layer}/offset"].view(-1)[0])
    if f"{layer}/current_end" in tensors:  # early files count with the length of a tensor
        return tensors[f"{layer}/current_end"].shape[0]
    return tensors[f"{layer}/cache"].shape[2]


def check_recording(wave: Tensor, sample_rate: int, name: str) -> None:
    """Refuse recordings that no voice can be made from.

    Args:
        wave: [N].
        sample_rate: Hz.
        name: what to call the recording in errors.

    Raises:
        InputError: it is too short, silent, or holds values that are not numbers.
    """
    seconds = wave.shape[-1] / sample_rate
    if seconds < _SHORTEST_SECONDS:
        raise InputError(
            f"{name} is {seconds:.2f} s long and a voice needs at least {_SHORTEST_SECONDS:g} s; "
            f"3 to 30 s of clear speech work best."
        )
    if not torch.isfinite(wave).all():
        raise InputError(f"{name} holds values that are not numbers; export the recording again.")
    level = 10 * torch.log10(wave.square().mean() + 1e-12)
    if level < _SILENCE_DB:
        raise InputError(f"{name} is silent ({float(level):.0f} dB below full scale); record closer to the microphone.")


@torch.inference_mode()
def make_voice(model: CALM, wave: Tensor, name: str) -> Voice:
    """Clone a voice from a recording.

    Args:
        model: on its device.
        wave: [N] samples at the codec's rate; at most `voice.max_seconds` are heard.
        name: for people.

    Raises:
        InputError: the recording is too short, silent or broken.
    """
    rate = model.codec.sample_rate
    check_recording(wave, rate, f"The recording '{name}'")
    wave = wave[: int(model.config.voice.max_seconds * rate)]
    prompt = end_in_pause(wave[None], rate).to(model.latent_mean.device)
    prefix = model.voice(model.codec.encode(prompt[None]))
    front, embedding = model.text.absorb_voice(prefix)
    state = model.backbone.transformer.init_state(1, front.shape[1], prefix.device)
    model.backbone.prompt(front, state)
    return Voice(name, state, embedding, _fingerprint(model))
