"""CLAP of ours, loaded."""

from __future__ import annotations

from torch import Tensor

from calm_core.catalogue import ModelInfo
from calm_core.clap.base import Clap, tidy, unknown_share
from calm_core.clap.model import ClapModel, build_log_mel
from calm_core.conditioners.tokenizer import LoadedTokenizer


class OwnClap(Clap):
    """A `ClapModel` with its weights and its tokenizer."""

    def __init__(self, info: ModelInfo, model: ClapModel, tokenizer: LoadedTokenizer):
        config = model.config
        super().__init__(info, config.width, config.audio.sample_rate, config.audio.seconds)
        self.model, self.tokenizer = model, tokenizer
        self._device = model.log_scale.device
        self._log_mel = build_log_mel(config.audio).to(self._device)

    def _texts(self, texts: list[str]) -> Tensor:
        tower = self.model.text
        return tower(tower.collate([self.tokenizer.encode(tidy(text)) for text in texts]).to(self._device))

    def _windows(self, wave: Tensor) -> Tensor:
        return self.model.audio.embed_windows(self._log_mel(wave[None].to(self._device))[0])

    def _unknown_share(self, text: str) -> float:
        return unknown_share(tidy(text), self.tokenizer)

    def _tokens(self, text: str) -> tuple[int, int]:
        return len(self.tokenizer.encode(tidy(text))), self.model.text.config.max_tokens
