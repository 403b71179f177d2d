"""Start a backbone from a text language model of the Llama family, as CALM starts from Helium-1 (CALM section 5.1).

    folder/config.json                      sizes, and which family
    folder/model.safetensors                or several files and model.safetensors.index.json

    theirs                                            ours, in `backbone`
    model.layers.N.input_layernorm                    transformer.layers.N.norm1
    model.layers.N.self_attn.{q,k,v}_proj             transformer.layers.N.self_attn.in_proj, one above the other
    model.layers.N.self_attn.o_proj                   transformer.layers.N.self_attn.out_proj
    model.layers.N.post_attention_layernorm           transformer.layers.N.norm2
    model.layers.N.mlp.{gate,up}_proj                 transformer.layers.N.linear1, one above the other
    model.layers.N.mlp.down_proj                      transformer.layers.N.linear2
    model.norm                                        out_norm
    model.embed_tokens, lm_head                       the text stream's table and output

Shapes: M model width, H query heads, G key/value heads, D head width, F width of a feed-forward branch, V words.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import safetensors
import torch
from safetensors import safe_open
from torch import Tensor

from calm_core import hub
from calm_core.audio_lm import AudioLM
from calm_core.backbone import Backbone
from calm_core.config import BackboneConfig
from calm_core.errors import InputError
from calm_core.nn.transformer import TransformerLayer
from calm_core.text_stream import TextStream

# Whether a family turns neighbouring channels as ours does (true), or channel i with i + D / 2 (false).
FAMILIES = {"helium": True, "llama": False}


@dataclass(frozen=True)
class TextStart:
    """What was taken.

    Attributes:
        family: "llama" or "helium".
        layers: how many.
        embedding: whether the text stream's table was.
        output: whether the text stream's output was.
        notice: a sentence for the log.
    """

    family: str
    layers: int
    embedding: bool
    output: bool
    notice: str


def deinterleave(weight: Tensor, head_dim: int) -> Tensor:
    """Rows of a query or key matrix from halves to neighbours.

    A head of the halves layout turns channels (i, i + D / 2) together, ours turns (2 i, 2 i + 1):

        theirs  x0 x1 x2 y0 y1 y2      ours  x0 y0 x1 y1 x2 y2

    Args:
        weight: [heads * D, M].
        head_dim: D.

    Returns:
        [heads * D, M]; attention is unchanged, since queries and keys are reordered alike.
    """
    return weight.unflatten(0, (-1, 2, head_dim // 2)).transpose(1, 2).flatten(0, 2)


class TextLM:
    """The files of a text LM: its sizes, and its tensors one at a time, so that 2 B weights never exist twice.

    Args:
        address: a local folder, or hf://owner/repo[/folder][@revision].

    Attributes:
        source: what to call it in errors.
        family: a key of `FAMILIES`.
        config: a backbone of its sizes.
        vocabulary: V.
        tied: whether the output is the table.

    Raises:
        InputError: a file is missing or damaged, or the model is not a Llama that our layers can be.
    """

    def __init__(self, address: str | Path):
        self.source = str(address)
        values = _read_json(self._fetch("config.json"))
        self.family = str(values.get("model_type"))
        if self.family not in FAMILIES:
            raise InputError(
                f"{self.source} is a text LM of type '{self.family}'; only {' and '.join(sorted(FAMILIES))} have the "
                f"layers of our backbone, so start from one of these."
            )
        self.config = self._backbone(values)
        self.tied = bool(values.get("tie_word_embeddings", False))
        self._places = self._find_tensors()
        self._prefix = "model." if "model.embed_tokens.weight" in self._places else ""
        self._used: set[str] = set()

    def _backbone(self, values: dict[str, Any]) -> BackboneConfig:
        """The backbone that `config.json` describes; sets the vocabulary."""
        rope = {**(values.get("rope_scaling") or {}), **(values.get("rope_parameters") or {})}
        kind = rope.get("rope_type", rope.get("type", "default"))
        act = values.get("hidden_act", "silu")
        for name, found, wanted in (("hidden_act", act, "silu"), ("rope_type", kind, "default")):
            if found != wanted:
                raise InputError(
                    f"{self.source}: config.json has {name} '{found}' where our layers have '{wanted}'; start from a "
                    f"text LM without it."
                )
        try:
            self.vocabulary = int(values["vocab_size"])
            heads, width = int(values["num_attention_heads"]), int(values["hidden_size"])
            attn_dim = heads * int(values.get("head_dim") or width // heads)
            return BackboneConfig(
                d_model=width,
                num_heads=heads,
                num_layers=int(values["num_hidden_layers"]),
                dim_feedforward=int(values["intermediate_size"]),
                max_period=float(rope.get("rope_theta", values.get("rope_theta", 10_000.0))),
                attn_dim=None if attn_dim == width else attn_dim,
                num_kv_heads=int(values.get("num_key_value_heads") or heads),
                norm="rms",
                gating="silu",
                norm_eps=float(values.get("rms_norm_eps", 1e-6)),
            )
        except KeyError as error:
            raise InputError(
                f"{self.source}: config.json has no {error}; take the file that came with the weights."
            ) from None

    def _fetch(self, name: str) -> Path:
        if self.source.startswith("hf://"):
            folder, at, revision = self.source.partition("@")
            return hub.fetch(f"{folder.rstrip('/')}/{name}{at}{revision}")
        return hub.fetch(name, base=Path(self.source))

    def _find_tensors(self) -> dict[str, Path]:
        """The file of each tensor."""
        try:
            index = self._fetch("model.safetensors.index.json")
        except InputError:
            path = self._fetch("model.safetensors")
            with _open(path) as file:
                return dict.fromkeys(file.keys(), path)
        names: dict[str, str] = _read_json(index).get("weight_map", {})
        paths = {name: self._fetch(name) for name in sorted(set(names.values()))}
        return {tensor: paths[name] for tensor, name in names.items()}

    def tensor(self, name: str, *shape: int) -> Tensor:
        """The tensor `name` (without `model.`), which must have this shape.

        Raises:
            InputError: it is missing, damaged or of another shape.
        """
        full = name if name == "lm_head.weight" else self._prefix + name
        if full not in self._places:
            raise InputError(
                f"{self.source} lacks the tensor '{full}'; download the text LM again, or take one that is whole."
            )
        self._used.add(full)
        path = self._places[full]
        with _open(path) as file:
            if full not in file.keys():  # noqa: SIM118
                raise InputError(f"{path.name} lacks the tensor '{full}' that the index promises; download it again.")
            tensor: Tensor = file.get_tensor(full)
        if tensor.shape != shape or not tensor.is_floating_point():
            raise InputError(
                f"{self.source}: the tensor '{full}' is {tensor.dtype} of shape {list(tensor.shape)}, but config.json "
                f"asks for numbers with a point of shape {list(shape)}; take weights that are not quantised and belong "
                f"to this config.json."
            )
        return tensor

    def unused(self) -> Iterator[str]:
        """Tensors of the layers that nobody asked for, which a plain Llama does not have."""
        for name in sorted(self._places.keys() - self._used):
            if ".layers." in f".{name}" and not name.endswith("rotary_emb.inv_freq"):
                yield name


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError):
        values = None
    if not isinstance(values, dict):
        raise InputError(f"{path} is not a JSON mapping; download the text LM again.")
    return values


def _open(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (safetensors.SafetensorError, OSError) as error:
        raise InputError(f"The weights file {path} is damaged or only half downloaded; download it again.") from error


def check_sizes(backbone: BackboneConfig, lm: TextLM) -> None:
    """See that the backbone has the text LM's sizes.

    Raises:
        InputError: it does not; every key that differs is named with the value that fits.
    """
    ours, theirs = (
        {**c.model_dump(exclude={"z_dim"}), "num_kv_heads": c.num_kv_heads or c.num_heads,
         "attn_dim": c.attn_dim or c.d_model}
        for c in (backbone, lm.config)
    )  # fmt: skip
    wrong = [
        f"{key}: {theirs[key]} (now {ours[key]})"
        for key in theirs
        if not (ours[key] == theirs[key] or (isinstance(ours[key], float) and math.isclose(ours[key], theirs[key])))
    ]
    if wrong:
        raise InputError(
            f"The backbone does not fit the text LM {lm.source}; set in the model's backbone {', '.join(wrong)}."
        )


@torch.no_grad()
def load_text_lm(backbone: Backbone, address: str | Path, text_stream: TextStream | None = None) -> TextStart:
    """Give a backbone the layers and the final norm of a text LM, and a text stream its table and output.

    Hidden states and, without `z_dim`, logits of the text are then exactly those of the text LM. The table and the
    output are taken when the stream's tokenizer has as many pieces as the text LM has words, which must be the same
    ones: it must be the text LM's own tokenizer. The marks (PAD and its like) begin as the mean of all words, which
    lies among the inputs that the layers know (Hewitt 2021).

    Args:
        backbone: with `norm: rms`, `gating: silu` and the sizes of the text LM.
        address: a local folder, or hf://owner/repo[/folder][@revision].
        text_stream: of `n_bins` V, to start as well.

    Raises:
        InputError: a file is missing or damaged, the architecture is another, tensors are missing or do not fit.
    """
    lm = TextLM(address)
    check_sizes(backbone.config, lm)
    width, hidden = lm.config.d_model, lm.config.dim_feedforward
    for index, module in enumerate(backbone.transformer.layers):
        layer, name = cast(TransformerLayer, module), f"layers.{index}"
        attention = layer.self_attn
        queries, head_dim = attention.attn_dim, attention.head_dim
        q = lm.tensor(f"{name}.self_attn.q_proj.weight", queries, width)
        k = lm.tensor(f"{name}.self_attn.k_proj.weight", attention.num_kv_heads * head_dim, width)
        v = lm.tensor(f"{name}.self_attn.v_proj.weight", attention.num_kv_heads * head_dim, width)
        if not FAMILIES[lm.family]:
            q, k = deinterleave(q, head_dim), deinterleave(k, head_dim)
        attention.in_proj.weight.copy_(torch.cat([q, k, v]))
        attention.out_proj.weight.copy_(lm.tensor(f"{name}.self_attn.o_proj.weight", width, queries))
        branches = [lm.tensor(f"{name}.mlp.{branch}_proj.weight", hidden, width) for branch in ("gate", "up")]
        layer.linear1.weight.copy_(torch.cat(branches))
        layer.linear2.weight.copy_(lm.tensor(f"{name}.mlp.down_proj.weight", width, hidden))
        layer.norm1.weight.copy_(lm.tensor(f"{name}.input_layernorm.weight", width))
        layer.norm2.weight.copy_(lm.tensor(f"{name}.post_attention_layernorm.weight", width))
    backbone.out_norm.weight.copy_(lm.tensor("norm.weight", width))
    for extra in lm.unused():
        raise InputError(
            f"{lm.source} has the tensor '{extra}', which the layers of our backbone have no place for; start from a "
            f"text LM without it."
        )
    layers = len(backbone.transformer.layers)
    start = f"{layers} layers of {lm.source}"
    if text_stream is None:
        return TextStart(lm.family, layers, False, False, f"The backbone starts from {start}.")
    if text_stream.pad != lm.vocabulary:
        notice = (
            f"The backbone starts from {start}, its text from nothing: the tokenizer has {text_stream.pad} pieces, "
            f"the text LM {lm.vocabulary} words."
        )
        return TextStart(lm.family, layers, False, False, notice)
    table = lm.tensor("embed_tokens.weight", lm.vocabulary, width)
    _fill(text_stream.embed.weight, table)
    output = text_stream.out.in_features == width
    if output:
        _fill(text_stream.out.weight, table if lm.tied else lm.tensor("lm_head.weight", lm.vocabulary, width))
    parts = "table and output" if output else "table (the output sees z_dim, not the width of the text LM)"
    return TextStart(lm.family, layers, True, output, f"The backbone starts from {start}, its text from their {parts}.")


def _fill(ours: Tensor, words: Tensor) -> None:
    ours[: len(words)] = words.to(ours.dtype)
    ours[len(words) :] = words.float().mean(0)


def start_audio_lm(model: AudioLM, address: str | Path) -> TextStart:
    """`load_text_lm` for a whole model.

    Raises:
        InputError: as there, or the tokenizer is not there: one trained on the corpus would have other pieces.
    """
    text = model.config.text
    if text is not None and not Path(text.tokenizer_path).exists():
        raise InputError(
            f"There is no tokenizer {text.tokenizer_path}; put the one of the text LM {address} there, since its words "
            f"must be the pieces of the text."
        )
    return load_text_lm(model.backbone, address, model.text)
