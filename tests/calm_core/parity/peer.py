"""The official pocket-tts package with random weights, saved where both packages can read them."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import sentencepiece
import torch
import yaml
from pocket_tts.models.flow_lm import FlowLMModel
from pocket_tts.models.mimi import build_mimi
from pocket_tts.models.tts_model import TTSModel, stamp_state_names
from pocket_tts.utils.config import CONFIGS_DIR, Config
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.calm_core.tiny import CHARACTERS, recording, write_tokenizer

NAMES = sorted(path.stem for path in CONFIGS_DIR.glob("*.yaml"))
PATHS = ("weights_path", "weights_path_without_voice_cloning")


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((CONFIGS_DIR / f"{name}.yaml").read_text(encoding="utf-8"))


def architecture(name: str) -> str:
    """Configurations with the same answer differ in text preparation and addresses only."""
    data = read(name)
    data["flow_lm"]["lookup_table"] = {
        key: value for key, value in data["flow_lm"]["lookup_table"].items() if not key.startswith("tokenizer")
    }
    return json.dumps([data["flow_lm"], data["mimi"]], sort_keys=True)


# Same architectures side by side, so that the parts are built once and one set is in memory at a time.
NAMES.sort(key=lambda name: (architecture(name), name))


def settings(name: str) -> str:
    """Configurations with the same answer read texts alike and speak with the same defaults."""
    data = read(name)
    simple = {key: value for key, value in data.items() if not isinstance(value, dict) and "/" not in str(value)}
    return json.dumps([simple, data["flow_lm"]["lookup_table"]["tokenizer"]], sort_keys=True)


def _distinct() -> list[str]:
    """Names that cover every architecture and all settings; the lighter one where several would do."""
    covered: set[str] = set()
    chosen = []
    for name in sorted(NAMES, key=lambda name: (read(name)["flow_lm"]["transformer"]["num_layers"], name)):
        new = {architecture(name), settings(name)} - covered
        if new:
            chosen.append(name)
            covered |= new
    return sorted(chosen, key=NAMES.index)


DISTINCT = _distinct()


def write_sentencepiece(path: Path, size: int) -> None:
    """A SentencePiece model with exactly `size` tokens."""
    words = ["the", "quick", "brown", "fox", "hello", "there", "number", "and", "again", "now"]
    lines = [" ".join(words[i:] + words[:i]) + "." for i in range(10)] + [CHARACTERS]
    fill = [f"<{i}>" for i in range(size - 360)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines * 20), model_prefix=str(path.with_suffix("")), vocab_size=size, model_type="bpe",
        user_defined_symbols=fill, hard_vocab_limit=False, minloglevel=2, byte_fallback=True, character_coverage=1.0,
    )  # fmt: skip


@dataclass
class Parts:
    flow_lm: FlowLMModel
    mimi: nn.Module
    weights: Path


@cache
def tokenizer_files(folder: Path) -> dict[str, Path]:
    files = {"tokenizers": folder / "tokenizer.json", "sentencepiece": folder / "tokenizer.model"}
    write_tokenizer(files["tokenizers"], 4000)
    write_sentencepiece(files["sentencepiece"], 4000)
    return files


class Official:
    """Builds the package's models; keeps the parts of the last architecture.

    Args:
        folder: where the files go.
        dtype: of the weights; released files have bfloat16.
    """

    def __init__(self, folder: Path, dtype: torch.dtype = torch.bfloat16):
        self._folder = folder
        self._dtype = dtype
        self._key: str | None = None
        self._parts: Parts | None = None

    def config(self, name: str) -> dict[str, Any]:
        """The shipped configuration with only its addresses replaced by local files."""
        data = read(name)
        table = data["flow_lm"]["lookup_table"]
        kind = "tokenizers" if table["tokenizer_path"].split("@")[0].endswith(".json") else "sentencepiece"
        table["tokenizer_path"] = str(tokenizer_files(self._folder)[kind])
        data.pop("weights_path_without_voice_cloning")
        data["weights_path"] = str(self._folder / "model.safetensors")
        return data

    def write_config(self, name: str) -> Path:
        path = self._folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(self.config(name), allow_unicode=True), encoding="utf-8")
        return path

    def model(self, name: str) -> TTSModel:
        """The package's model for one configuration."""
        config = Config(**self.config(name))
        parts = self._build(name, config)
        model = TTSModel(
            parts.flow_lm, config.default_temperature, 1, None, config.default_eos_threshold, config, None,
            config.pad_with_spaces_for_short_inputs, config.model_recommended_frames_after_eos,
            config.remove_semicolons, config.append_terminal_punctuation, config.capitalize_first_letter,
            config.replace_characters,
        )  # fmt: skip
        model.mimi = parts.mimi  # type: ignore[assignment]
        model.eval()
        stamp_state_names(model)
        return model

    def _build(self, name: str, config: Config) -> Parts:
        key = architecture(name)
        if self._key == key and self._parts is not None:
            return self._parts
        self._parts = None
        torch.manual_seed(len(key))
        lm = FlowLMModel.from_pydantic_config(
            config.flow_lm, config.mimi.quantizer.dimension, config.flow_lm.insert_bos_before_voice
        )
        encoder_width = config.mimi.inner_dim or config.mimi.seanet.dimension
        width = config.flow_lm.transformer.d_model
        lm.speaker_proj_weight = nn.Parameter(torch.randn(width, encoder_width) * 0.1)
        lm.emb_mean.normal_(0, 0.1)
        lm.emb_std.uniform_(0.5, 1.5)
        mimi = build_mimi(config.mimi)
        weights = self._folder / "model.safetensors"
        tensors = {f"flow_lm.{k}": v for k, v in lm.state_dict().items()}
        tensors |= {f"mimi.{k}": v for k, v in mimi.state_dict().items()}
        saved = {key: value.to(self._dtype) for key, value in tensors.items()}
        save_file(saved, weights)
        with torch.no_grad():
            for key, value in tensors.items():
                value.copy_(saved[key])  # they speak with what the file holds
        self._key, self._parts = key, Parts(lm, mimi, weights)
        return self._parts


@dataclass
class Spoken:
    latents: Tensor
    logits: Tensor
    wave: Tensor


@contextmanager
def given_noise(noises: Tensor) -> Iterator[None]:
    """The package's next draws are the rows of `noises`, already scaled."""
    rows = iter(noises)
    original = torch.nn.init.normal_

    def fill(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
        return tensor.copy_(next(rows).view_as(tensor))

    torch.nn.init.normal_ = fill  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.nn.init.normal_ = original


def speak(model: TTSModel, state: dict[str, Any], text: str, noises: Tensor) -> Spoken:
    """Speak with the package; `noises[0]` is used up by the text prompt, the frames follow."""
    latents: list[Tensor] = []
    logits: list[Tensor] = []
    lock = threading.Lock()

    def keep_latents(latent: Tensor, state: Any) -> Tensor:
        with lock:
            latents.append(latent.clone())
        return decode(latent, state)

    def keep_logits(_: nn.Module, __: Any, output: Tensor) -> None:
        logits.append(output.clone().view(-1))

    decode = model.mimi.decode_from_latent
    model.mimi.decode_from_latent = keep_latents  # type: ignore[method-assign]
    hook = model.flow_lm.out_eos.register_forward_hook(keep_logits)
    try:
        with given_noise(noises):
            wave = model.generate_audio(copy.deepcopy(state), text)
    finally:
        del model.mimi.decode_from_latent
        hook.remove()
    return Spoken(torch.cat(latents, 1)[0], torch.cat(logits)[1:], wave)


def voice_wave() -> Tensor:
    return recording(1.0, seed=5)
