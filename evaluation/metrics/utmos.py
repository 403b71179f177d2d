"""UTMOS (Saeki et al. 2022), its strong learner without phonemes: one predicted opinion of a clip, no reference.

A wav2vec 2.0 base encoder, embeddings of a domain and a listener, a bidirectional LSTM, a score a frame. The weights
are a safetensors file with the names that the reimplementation in tarepan/SpeechMOS has (`utmos22_strong`): its state
dictionary, saved once with `safetensors.torch.save_file`. Sizes are read from the weights.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.metrics.optional import existing_file, require
from evaluation.metrics.pretrained import PIN

_RATE = 16_000
_HEAD_WIDTH = 64
_SHORTEST_SEC = 0.1
_KERNELS = (10, 3, 3, 3, 3, 2, 2)
_STRIDES = (5, 2, 2, 2, 2, 2, 2)
# fairseq's names of the encoder's parts on the left, transformers' on the right
_NAMES = (
    (r"feature_extractor\.conv_layers\.(\d+)\.0\.", r"feature_extractor.conv_layers.\1.conv."),
    (r"feature_extractor\.conv_layers\.0\.2\.", "feature_extractor.conv_layers.0.layer_norm."),
    (r"^layer_norm\.", "feature_projection.layer_norm."),
    (r"^post_extract_proj\.", "feature_projection.projection."),
    (r"encoder\.pos_conv\.0\.weight_g$", "encoder.pos_conv_embed.conv.parametrizations.weight.original0"),
    (r"encoder\.pos_conv\.0\.weight_v$", "encoder.pos_conv_embed.conv.parametrizations.weight.original1"),
    (r"encoder\.pos_conv\.0\.bias$", "encoder.pos_conv_embed.conv.bias"),
    (r"\.self_attn_layer_norm\.", ".layer_norm."),
    (r"\.self_attn\.", ".attention."),
    (r"\.fc1\.", ".feed_forward.intermediate_dense."),
    (r"\.fc2\.", ".feed_forward.output_dense."),
    (r"^mask_emb$", "masked_spec_embed"),
)


def encoder_name(name: str) -> str:
    """The name in `transformers` of a weight that fairseq calls `name`, both within the encoder."""
    for pattern, replacement in _NAMES:
        name = re.sub(pattern, replacement, name)
    return name


class Utmos:
    """The loaded predictor.

    Raises:
        InputError: No such file, one with other weights, or transformers is missing.
    """

    def __init__(self, path: Path, device: str = "cpu"):
        existing_file(path, "model", "give --mos-model the safetensors file of UTMOS")
        transformers = require("transformers", "The metric utmos", PIN)
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            weights = load_file(path)
            inner, lstm, hidden = (
                weights[name].shape
                for name in ("wav2vec2.post_extract_proj.weight", "blstm.weight_ih_l0", "projection.0.weight")
            )
            self._encoder = transformers.Wav2Vec2Model(_configuration(transformers, weights))
            self._blstm = torch.nn.LSTM(lstm[1], lstm[0] // 4, batch_first=True, bidirectional=True)
            self._projection = torch.nn.Sequential(
                torch.nn.Linear(hidden[1], hidden[0]), torch.nn.ReLU(), torch.nn.Linear(hidden[0], 1)
            )
            self._marks = torch.cat([weights["domain_emb"], weights["judge_emb"]], dim=1).to(device)
            if inner[0] + self._marks.shape[1] != lstm[1]:
                raise ValueError("the widths of its parts do not fit")
            for module, prefix in (
                (self._encoder, "wav2vec2."),
                (self._blstm, "blstm."),
                (self._projection, "projection."),
            ):
                own = {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
                rename = encoder_name if prefix == "wav2vec2." else str
                module.load_state_dict({rename(key): value for key, value in own.items()})
                module.eval().to(device)
        except (SafetensorError, KeyError, ValueError, RuntimeError, IndexError) as error:
            reason = f"{error}".strip().splitlines()[0]
            raise InputError(
                f"{path} does not hold the weights of UTMOS ({reason}); give those of utmos22_strong as safetensors."
            ) from error
        self._device = device

    def __call__(self, clip: Clip) -> float:
        """Predicted mean opinion, about 1 to 5.

        Raises:
            InputError: The clip is silent or shorter than 0.1 s.
        """
        import torch

        samples = clip.at(_RATE)
        if not samples.any() or len(samples) < _SHORTEST_SEC * _RATE:
            raise InputError(f"UTMOS cannot score {clip.item}: it is silent or shorter than {_SHORTEST_SEC} s.")
        with torch.inference_mode():
            heard = self._encoder(torch.from_numpy(samples).float()[None].to(self._device)).last_hidden_state
            marks = self._marks[:, None].expand(1, heard.shape[1], -1)
            scores = self._projection(self._blstm(torch.cat([heard, marks], dim=2))[0])
        return float(scores.mean()) * 2 + 3  # it was trained on scores brought to -1 ... 1


def _configuration(transformers: Any, weights: Mapping[str, Any]) -> Any:
    """Of a wav2vec 2.0 base model of the widths that the weights have."""
    width, channels = weights["wav2vec2.post_extract_proj.weight"].shape
    _, per_group, positions = weights["wav2vec2.encoder.pos_conv.0.weight_v"].shape
    layers = {re.match(r"wav2vec2\.encoder\.layers\.(\d+)\.", name) for name in weights} - {None}
    return transformers.Wav2Vec2Config(
        hidden_size=width,
        num_hidden_layers=len({match[1] for match in layers if match}),
        num_attention_heads=max(1, width // _HEAD_WIDTH),
        intermediate_size=weights["wav2vec2.encoder.layers.0.fc1.weight"].shape[0],
        conv_dim=(channels,) * len(_KERNELS),
        conv_kernel=_KERNELS,
        conv_stride=_STRIDES,
        num_conv_pos_embeddings=positions,
        num_conv_pos_embedding_groups=width // per_group,
    )


@lru_cache(maxsize=1)
def find_utmos(models: Sequence[str], device: str = "cpu") -> Utmos:
    """The predictor among the files that the user names, told by its suffix `.safetensors`.

    Raises:
        InputError: There is none, or see `Utmos`.
    """
    for name in models:
        if name.endswith(".safetensors"):
            return Utmos(Path(name), device)
    raise InputError("The metric utmos needs --mos-model FILE.safetensors: the weights of utmos22_strong.")


class OpinionRows:
    """UTMOS of clips that are handed over one by one."""

    def __init__(self, predictor: Utmos):
        self._predictor = predictor
        self._found: dict[str, float] = {}

    def add(self, clip: Clip) -> None:
        """Take a clip in; see `Utmos.__call__` for what is raised."""
        self._found[Path(clip.item).name] = self._predictor(clip)

    def rows(self) -> list[tuple[str, str, float]]:
        """The opinion of each clip and the mean as `(item, metric, value)`."""
        mean = sum(self._found.values()) / len(self._found)
        return [(item, "utmos", value) for item, value in [*self._found.items(), ("mean", mean)]]
