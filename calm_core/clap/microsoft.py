"""Microsoft's CLAP of 2023 (Elizalde et al. 2023) in the layout of its package msclap 1.3, on modules of transformers.

A folder holds `CLAP_weights_2023.safetensors`, the state dict that msclap loads:

    audio_encoder.base.htsat.    an HTSAT, which transformers has as the audio tower of LAION's CLAP
    audio_encoder.projection.    two linear maps, their sum under a norm
    caption_encoder.base.        a GPT-2; the last token's state stands for the text
    caption_encoder.projection.  as above

and the files of GPT-2's tokenizer. Sizes are those of the tensors. What is published is pickled and must be saved anew.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from calm_core.catalogue import ModelInfo
from calm_core.clap.base import Clap
from calm_core.clap.windows import window_count
from calm_core.errors import InputError
from calm_core.weights import Tensors, load_into, read_tensors

FILE = "CLAP_weights_2023.safetensors"
# What msclap's configuration of 2023 says and no tensor shows.
_RATE, _SECONDS, _WINDOW, _HOP, _TOKENS = 44_100, 7.0, 1024, 320, 77
_HEAD = 64  # channels of a head of GPT-2
_END = "<|endoftext|>"
_AT_ONCE = 8
# HTSAT's names and those of transformers, in the order in which they are replaced.
_NAMES = (
    ("audio_encoder.base.htsat.", "sound."), ("audio_encoder.projection.", "sound_out."),
    ("caption_encoder.base.", "text."), ("caption_encoder.projection.", "text_out."),
    (".bn0.", ".batch_norm."), (".attn.proj.", ".attention.output.dense."), (".norm1.", ".layernorm_before."),
    (".norm2.", ".layernorm_after."), (".mlp.fc1.", ".intermediate.dense."), (".mlp.fc2.", ".output.dense."),
    (".attn.relative_", ".attention.self.relative_"), (".attn.qkv.", ".attention.self.qkv."),
)  # fmt: skip
# Tensors that say how large the towers are.
_SIZES = {
    "sound.patch_embed.proj.weight", "sound.batch_norm.weight", "sound.norm.weight", "sound_out.linear1.weight",
    "sound.layers.0.blocks.0.attention.self.relative_position_bias_table", "text.wte.weight", "text.wpe.weight",
    "text.h.0.ln_1.weight", "text_out.linear1.weight",
}  # fmt: skip
# The classifier of sounds, constants of the spectrogram, masks that follow from the sizes, the temperature.
_LEFT_OUT = re.compile(
    r"tscam_conv|\.head\.|spectrogram_extractor|attn_mask|\.h\.\d+\.attn\.(masked_)?bias$|logit_scale|spec_augmenter"
)


class Projection(nn.Module):
    """Width of a tower to that of the space."""

    def __init__(self, before: int, width: int):
        super().__init__()
        self.linear1 = nn.Linear(before, width, bias=False)
        self.linear2 = nn.Linear(width, width, bias=False)
        self.layer_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, M] to [B, E]."""
        first = self.linear1(x)
        return self.layer_norm(first + self.linear2(F.gelu(first)))


class Towers(nn.Module):
    """Both towers, of the sizes of some tensors in our names (see `renamed`)."""

    def __init__(self, tensors: Tensors):
        super().__init__()
        from transformers import ClapAudioConfig, GPT2Config, GPT2Model
        from transformers.models.clap.modeling_clap import ClapAudioEncoder

        patch = tensors["sound.patch_embed.proj.weight"]
        tables = {k: v for k, v in tensors.items() if k.endswith("relative_position_bias_table")}
        blocks = Counter(int(name.split(".")[2]) for name in tables)
        heads = {int(name.split(".")[2]): table.shape[1] for name, table in tables.items()}
        bands = tensors["sound.batch_norm.weight"].shape[0]
        # Four stretches of the sound lie over one another in a square of four times the bands.
        sound = ClapAudioConfig(
            num_mel_bins=bands, spec_size=4 * bands, patch_size=patch.shape[2], patch_stride=list(patch.shape[2:]),
            patch_embeds_hidden_size=patch.shape[0], hidden_size=tensors["sound.norm.weight"].shape[0],
            depths=[blocks[i] for i in sorted(blocks)], num_attention_heads=[heads[i] for i in sorted(heads)],
            window_size=(round(next(iter(tables.values())).shape[0] ** 0.5) + 1) // 2,
        )  # fmt: skip
        words, wide = tensors["text.wte.weight"].shape
        text = GPT2Config(
            vocab_size=words, n_embd=wide, n_head=max(1, wide // _HEAD),
            n_positions=tensors["text.wpe.weight"].shape[0],
            n_layer=1 + max(int(name.split(".")[2]) for name in tensors if name.startswith("text.h.")),
        )  # fmt: skip
        self.sound, self.text = ClapAudioEncoder(sound), GPT2Model(text)
        width = tensors["sound_out.linear1.weight"].shape[0]
        self.sound_out, self.text_out = Projection(sound.hidden_size, width), Projection(wide, width)


class MicrosoftClap(Clap):
    """See the module."""

    def __init__(self, info: ModelInfo, towers: Towers, filters: Tensor, tokenizer: Any):
        super().__init__(info, towers.sound_out.linear1.out_features, _RATE, _SECONDS)
        self.towers, self.filters, self.tokenizer = towers, filters, tokenizer
        self._window = torch.hann_window(_WINDOW, device=filters.device)

    @staticmethod
    def load(folder: Path, device: torch.device) -> MicrosoftClap:
        """Load a folder.

        Raises:
            InputError: transformers is missing, or files are missing, damaged or of another model.
        """
        try:
            from transformers import GPT2Tokenizer
        except ImportError:
            raise InputError(f"'{folder}' needs a package that is missing: pip install transformers==5.23.0") from None
        tensors = renamed(read_tensors(folder / FILE))
        filters = tensors.pop("sound.logmel_extractor.melW", None)
        if filters is None or not tensors.keys() >= _SIZES:
            raise InputError(
                f"{folder / FILE} does not hold the weights of Microsoft's CLAP of 2023, with an HTSAT and a GPT-2; "
                "the one of 2022 is not read."
            )
        if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json")):
            raise InputError(f"There is no tokenizer in {folder}; put GPT-2's tokenizer.json beside {FILE}.")
        tokenizer = GPT2Tokenizer.from_pretrained(folder, local_files_only=True)
        towers = load_into(lambda: Towers(tensors), tensors, FILE, device)
        assert isinstance(towers, Towers) and not any(buffer.is_meta for buffer in towers.buffers())
        count = sum(parameter.numel() for parameter in towers.parameters())
        info = ModelInfo(str(folder), "clap", "Microsoft CLAP 2023", count, "local", "", "en", ("clap",))
        return MicrosoftClap(info, towers, filters.float().to(device), tokenizer)

    def _texts(self, texts: list[str]) -> Tensor:
        rows = [self.tokenizer(f"{text} {_END}")["input_ids"][:_TOKENS] for text in texts]
        # The end comes last, and every row is computed alone up to it: GPT-2 is causal, so padding behind is not seen.
        ids = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True).to(self.filters.device)
        states = self.towers.text(input_ids=ids).last_hidden_state
        last = torch.tensor([len(row) - 1 for row in rows], device=ids.device)
        return F.normalize(self.towers.text_out(states[torch.arange(len(rows), device=ids.device), last]), dim=-1)

    def _windows(self, wave: Tensor) -> Tensor:
        length = round(_SECONDS * _RATE)
        pieces = [
            # a short sound is repeated until the window is full
            piece.repeat(-(-length // len(piece)))[:length]
            for at in range(window_count(len(wave) / _RATE, _SECONDS))
            for piece in (wave[at * (length // 2) :][:length],)
        ]
        parts = [self._embed(torch.stack(pieces[at : at + _AT_ONCE])) for at in range(0, len(pieces), _AT_ONCE)]
        return torch.cat(parts)

    def _embed(self, waves: Tensor) -> Tensor:
        """Embeddings [W, E] of whole windows [W, N]."""
        spectrum = torch.stft(
            waves.to(self.filters.device), _WINDOW, _HOP, window=self._window, pad_mode="reflect", return_complex=True
        )
        power = spectrum.real.square() + spectrum.imag.square()
        bands = 10 * torch.log10((power.transpose(1, 2) @ self.filters).clamp(min=1e-10))
        pooled = self.towers.sound(input_features=bands[:, None]).pooler_output
        return F.normalize(self.towers.sound_out(pooled), dim=-1)

    def _tokens(self, text: str) -> tuple[int, int]:
        return len(self.tokenizer(text)["input_ids"]) + 1, _TOKENS


def renamed(tensors: Tensors) -> Tensors:
    """The tensors of msclap's file as `Towers` names them, without those that embeddings do not need."""
    made: Tensors = {}
    for name, tensor in tensors.items():
        name = name.removeprefix("module.")
        if _LEFT_OUT.search(name):
            continue
        text = name.startswith("caption_encoder.")
        for old, new in _NAMES[:4] if text else _NAMES:
            name = name.replace(old, new)
        if ".self.qkv." in name:
            for part, piece in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                made[name.replace(".qkv.", f".{part}.")] = piece.contiguous()
        else:
            made[name] = tensor
    return made
