"""LAION's CLAP, and every other `ClapModel` of transformers: a folder, or a repository of the Hub.

Weights are read from safetensors alone, and code that comes with a model is never run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from calm_core.catalogue import ModelInfo
from calm_core.clap.base import Clap
from calm_core.clap.windows import window_count
from calm_core.errors import InputError
from calm_core.hub import offline

PIN = "transformers==5.23.0"
# How many windows go through the audio tower at once; LAION's takes 100 MB for each.
_AT_ONCE = 8
_PICKLED = (
    "Microsoft's CLAP is published as pickled weights, which are not read here because they can run code; save "
    "its state dict as CLAP_weights_2023.safetensors beside GPT-2's tokenizer.json and give that folder, or use "
    "hf://laion/larger_clap_music."
)


class PretrainedClap(Clap):
    """A `ClapModel` of transformers.

    Args:
        info: its line in a list of models.
        model: in evaluation mode.
        extractor: `ClapFeatureExtractor`.
        tokenizer: of its text tower.
    """

    def __init__(self, info: ModelInfo, model: Any, extractor: Any, tokenizer: Any):
        super().__init__(info, model.config.projection_dim, extractor.sampling_rate, float(extractor.max_length_s))
        self.model, self.extractor, self.tokenizer = model, extractor, tokenizer
        # RoBERTa's positions begin behind the padding's.
        self._limit = model.config.text_config.max_position_embeddings - model.config.text_config.pad_token_id - 1

    @staticmethod
    def load(source: str, device: torch.device) -> PretrainedClap:
        """Load a model and what prepares its inputs.

        Args:
            source: a folder, or owner/repo[@revision]; with CALM_OFFLINE=1 only what the cache holds.
            device: where it goes.

        Raises:
            InputError: transformers is missing; there is no such model; files are missing, damaged or of another kind.
        """
        try:
            import transformers
        except ImportError:
            raise InputError(f"'{source}' needs a package that is missing: pip install {PIN}") from None
        name, _, revision = (source, "", "") if Path(source).exists() else source.strip("/").partition("@")
        if name.lower().startswith("microsoft/") and "clap" in name.lower():
            raise InputError(_PICKLED)
        where: dict[str, Any] = {"local_files_only": offline(), "revision": revision or "main"}
        transformers.utils.logging.disable_progress_bar()
        verbosity = transformers.logging.get_verbosity()
        transformers.logging.set_verbosity_error()  # it would report missing weights and then go on
        try:
            loaded: Any = transformers.ClapModel.from_pretrained(
                name, use_safetensors=True, output_loading_info=True, **where
            )
            model, report = loaded
            extractor = transformers.ClapFeatureExtractor.from_pretrained(name, **where)
            tokenizer = transformers.AutoTokenizer.from_pretrained(name, **where)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise InputError(
                f"'{source}' cannot be loaded as a ClapModel ({reason}); give a folder or hf://owner/repo with "
                "config.json, model.safetensors, preprocessor_config.json and the files of its tokenizer."
            ) from error
        finally:
            transformers.logging.set_verbosity(verbosity)
        lacking = sorted(report["missing_keys"])
        if lacking:  # transformers fills them with random numbers
            raise InputError(
                f"'{source}' lacks {len(lacking)} weights of a ClapModel, the first is {lacking[0]}; give a whole one."
            )
        model = model.eval().requires_grad_(False).to(device)
        count = sum(parameter.numel() for parameter in model.parameters())
        local = "local" if Path(name).exists() else "cached"
        info = ModelInfo(source, "clap", Path(name).name, count, local, "", "en", ("clap",))
        return PretrainedClap(info, model, extractor, tokenizer)

    def _texts(self, texts: list[str]) -> Tensor:
        inputs = self.tokenizer(
            texts, padding=True, truncation=True, max_length=self._limit, return_tensors="pt"
        )  # fmt: skip
        inputs = {name: inputs[name].to(self.model.device) for name in ("input_ids", "attention_mask")}
        return _normalised(self.model.get_text_features(**inputs))

    def _windows(self, wave: Tensor) -> Tensor:
        length = round(self.seconds * self.sample_rate)
        hop = length // 2
        count = window_count(len(wave) / self.sample_rate, self.seconds)
        pieces = [wave[at * hop : at * hop + length].double().numpy() for at in range(count)]
        parts = []
        for at in range(0, count, _AT_ONCE):
            inputs = self.extractor(
                pieces[at : at + _AT_ONCE], sampling_rate=self.sample_rate, return_tensors="pt"
            )  # fmt: skip
            features = inputs["input_features"].to(self.model.device, torch.float32)
            # No window is longer than the model hears, but the extractor of a fusing model marks one at random.
            longer = torch.zeros(len(features), 1, dtype=torch.bool, device=features.device)
            parts.append(_normalised(self.model.get_audio_features(input_features=features, is_longer=longer)))
        return torch.cat(parts)

    def _tokens(self, text: str) -> tuple[int, int]:
        return len(self.tokenizer(text)["input_ids"]), self._limit

    def _unknown_share(self, text: str) -> float:
        unknown = getattr(self.tokenizer, "unk_token_id", None)
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return sum(number == unknown for number in ids) / max(1, len(ids))


def _normalised(features: Any) -> Tensor:
    """The embeddings of what transformers returns, which depends on its version."""
    pooled = features if isinstance(features, Tensor) else features.pooler_output
    return F.normalize(pooled.float(), dim=-1)
