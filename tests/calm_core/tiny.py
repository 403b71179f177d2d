"""Models small enough for tests: every part is there, nothing is wide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tokenizers
import torch
from tokenizers import decoders, models, pre_tokenizers

from calm_core.audio import Audio
from calm_core.audio_lm import AudioLM
from calm_core.codecs import RVQCodec
from calm_core.conditioners.text import PrefixText
from calm_core.config import ContinuationModelConfig, TTSModelConfig, parse_config
from calm_core.model import CALM
from calm_core.voices import Voice, make_voice

CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:!?'-…"


def write_tokenizer(path: Path, size: int) -> None:
    """A character-level tokenizer.json with `size` tokens."""
    vocabulary = {"<unk>": 0, "▁": 1}
    for character in CHARACTERS:
        vocabulary.setdefault(character, len(vocabulary))
    for index in range(size - len(vocabulary)):
        vocabulary[f"<{index}>"] = len(vocabulary)
    tokenizer = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.save(str(path))


def seanet(**changes: Any) -> dict[str, Any]:
    return {"dimension": 16, "n_filters": 4, "ratios": [6, 5, 4], "kernel_size": 7, **changes}


def codec_transformer(**changes: Any) -> dict[str, Any]:
    return {
        "d_model": 16, "input_dimension": 16, "output_dimensions": [16], "num_heads": 2, "num_layers": 2,
        "context": 10, "dim_feedforward": 24, "layer_scale": 0.5, **changes,
    }  # fmt: skip


def codec() -> dict[str, Any]:
    return {
        "kind": "vae", "inner_dim": 8, "outer_dim": 16, "seanet": seanet(), "transformer": codec_transformer(),
        "quantizer": {"dimension": 8, "output_dimension": 16},
    }  # fmt: skip


def tts(tokenizer: Path | str = "tokenizer.json", head: str = "lsd", **changes: Any) -> dict[str, Any]:
    return {
        "task": "tts",
        "codec": codec(),
        "text": {
            "kind": "prefix", "n_bins": 100, "dim": 32, "tokenizer": "tokenizers", "tokenizer_path": str(tokenizer),
        },
        # Multiples of 32, as in real models: then a row's bits do not depend on the rows beside it.
        "backbone": {"d_model": 32, "num_heads": 4, "num_kv_heads": 2, "num_layers": 2, "dim_feedforward": 64},
        "head": {"kind": head, "channels": 32, "depth": 2},
        **changes,
    }  # fmt: skip


def randomise(module: torch.nn.Module, seed: int = 0) -> None:
    """Weights of a sensible size everywhere, also where training starts from zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)


def build(folder: Path, head: str = "lsd", **changes: Any) -> CALM:
    """A tiny model with random weights and a tokenizer in `folder`."""
    from calm_core.conditioners.tokenizer import load_tokenizer

    write_tokenizer(folder / "tokenizer.json", 100)
    config = parse_config(tts(folder / "tokenizer.json", head, **changes), "tiny")
    assert isinstance(config, TTSModelConfig)
    torch.manual_seed(0)
    model = CALM(config)
    randomise(model)
    assert isinstance(model.text, PrefixText)
    model.text.tokenizer = load_tokenizer(folder / "tokenizer.json", "tokenizers", 100)
    return model.eval().requires_grad_(False)


def recording(seconds: float = 1.0, seed: int = 0) -> torch.Tensor:
    """A noisy tone [N] at 24 kHz that swells and fades like syllables."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(int(24_000 * seconds)) / 24_000
    tone = torch.sin(2 * torch.pi * 140 * time) * torch.sin(2 * torch.pi * 2 * time)
    return 0.2 * tone + 0.01 * torch.randn(time.shape, generator=generator)


def voice(model: CALM, seed: int = 0) -> Voice:
    return make_voice(model, recording(seed=seed), f"voice {seed}")


def continuation(tokenizer: Path | str = "tokenizer.json", head: str = "lsd", short: bool = False) -> dict[str, Any]:
    discrete = head in ("rq_transformer", "delay")
    heads: dict[str, dict[str, Any]] = {
        "rq_transformer": {"d_model": 32, "num_heads": 2, "num_layers": 1, "dim_feedforward": 64},
        "delay": {},
    }
    return {
        "task": "speech_continuation",
        "codec": {"kind": "rvq", "levels": 3, "codebook_size": 20, "autoencoder": codec()} if discrete else codec(),
        "text": {"n_bins": 100, "tokenizer": "tokenizers", "tokenizer_path": str(tokenizer), "delay": 2},
        "backbone": {"d_model": 32, "num_heads": 4, "num_kv_heads": 2, "num_layers": 2, "dim_feedforward": 64},
        "short_context": {"num_heads": 2, "num_layers": 2, "dim_feedforward": 64, "frames": 4} if short else None,
        "head": {"kind": head, **heads.get(head, {"channels": 32, "depth": 2})},
    }


def build_continuation(folder: Path, head: str = "lsd", short: bool = False) -> AudioLM:
    """A tiny model with random weights that continues sound, and a tokenizer in `folder`."""
    from calm_core.conditioners.tokenizer import load_tokenizer

    write_tokenizer(folder / "tokenizer.json", 100)
    model = built_audio_lm(continuation(folder / "tokenizer.json", head, short))
    assert model.text is not None
    model.text.tokenizer = load_tokenizer(folder / "tokenizer.json", "tokenizers", 100)
    return model.eval().requires_grad_(False)


WIDTH = 16  # of the CLAP embeddings of tiny models of music


def music_codec() -> dict[str, Any]:
    """32 kHz and 25 Hz, as in the paper."""
    return {**codec(), "sample_rate": 32_000, "frame_rate": 25, "seanet": seanet(ratios=[5, 4, 4])}


def music(head: str = "lsd", short: bool = False, clap: str | None = "clap") -> dict[str, Any]:
    """A model that continues music; `clap` names its CLAP model."""
    config = {k: v for k, v in continuation("", head, short).items() if k != "text"}
    discrete = config["codec"]["kind"] == "rvq"
    coded = {**config["codec"], "autoencoder": music_codec()} if discrete else music_codec()
    prefix = None if clap is None else {"width": WIDTH, "model": clap}
    return {**config, "task": "music_continuation", "codec": coded, "clap": prefix}


def build_music(head: str = "lsd", short: bool = False, clap: str | None = "clap") -> AudioLM:
    """A tiny model of music with random weights."""
    return built_audio_lm(music(head, short, clap)).eval().requires_grad_(False)


def built_audio_lm(config: dict[str, Any]) -> AudioLM:
    parsed = parse_config(config, "tiny")
    assert isinstance(parsed, ContinuationModelConfig)
    torch.manual_seed(0)
    model = AudioLM(parsed)
    randomise(model)
    if isinstance(model.codec, RVQCodec):
        model.codec.quantizer.codebooks.normal_(generator=torch.Generator().manual_seed(0))
    return model


class Clap:
    """A stand-in for a CLAP model: texts go by their letters, sounds by their mean pitch and level."""

    width, sample_rate, seconds = WIDTH, 32_000, 10.0

    def embed_text(self, texts: Sequence[str]) -> torch.Tensor:
        return torch.cat([self._direction(sum(map(ord, text))) for text in texts])

    def embed_audio(self, audio: Audio | Sequence[Audio]) -> torch.Tensor:
        sounds = [audio] if isinstance(audio, Audio) else audio
        return torch.cat([self._direction(int(1e4 * sound.samples.diff().abs().mean())) for sound in sounds])

    def notices(self, texts: Sequence[str]) -> list[str]:
        return []

    def _direction(self, seed: int) -> torch.Tensor:
        drawn = torch.randn(1, self.width, generator=torch.Generator().manual_seed(seed))
        return torch.nn.functional.normalize(drawn, dim=-1)


def delayed(codes: torch.Tensor, delays: tuple[int, ...], fill: int) -> torch.Tensor:
    """Codes [1, T, K] as the stream holds them, without the codes that only later frames would bring."""
    from calm_core.heads import delay_codes

    return delay_codes(codes, delays, fill)
