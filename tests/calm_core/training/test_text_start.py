"""A text LM's files, written as the Hub has them, against a plain implementation of Llama."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from calm_core.audio_lm import AudioLM
from calm_core.backbone import Backbone
from calm_core.config import BackboneConfig, ContinuationModelConfig, TextStreamConfig
from calm_core.errors import InputError
from calm_core.text_stream import TextStream
from calm_core.training.continuation import parameter_groups
from calm_core.training.recipes import ContinuationRecipe
from calm_core.training.text_start import deinterleave, load_text_lm, start_audio_lm
from tests.calm_core import tiny

WIDTH, HIDDEN, HEADS, GROUPS, HEAD, LAYERS, WORDS = 32, 48, 4, 2, 8, 3, 40
THETA, EPS = 500.0, 1e-6
BACKBONE = {
    "d_model": WIDTH, "num_heads": HEADS, "num_kv_heads": GROUPS, "num_layers": LAYERS, "dim_feedforward": HIDDEN,
    "max_period": THETA, "norm": "rms", "gating": "silu", "norm_eps": EPS,
}  # fmt: skip
CONFIG = {
    "model_type": "llama", "hidden_size": WIDTH, "intermediate_size": HIDDEN, "num_attention_heads": HEADS,
    "num_key_value_heads": GROUPS, "num_hidden_layers": LAYERS, "vocab_size": WORDS, "rms_norm_eps": EPS,
    "rope_theta": THETA, "hidden_act": "silu", "tie_word_embeddings": False,
}  # fmt: skip


def stream(words: int = WORDS, z_dim: int = WIDTH) -> TextStream:
    return TextStream(TextStreamConfig(tokenizer_path="", n_bins=words, delay=2), WIDTH, z_dim).requires_grad_(False)


def weights() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(3)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator) * shape[-1] ** -0.5 + (len(shape) == 1)

    tensors = {"model.embed_tokens.weight": draw(WORDS, WIDTH), "lm_head.weight": draw(WORDS, WIDTH)}
    tensors["model.norm.weight"] = draw(WIDTH)
    for index in range(LAYERS):
        layer = {
            "self_attn.q_proj": (HEADS * HEAD, WIDTH), "self_attn.k_proj": (GROUPS * HEAD, WIDTH),
            "self_attn.v_proj": (GROUPS * HEAD, WIDTH), "self_attn.o_proj": (WIDTH, HEADS * HEAD),
            "mlp.gate_proj": (HIDDEN, WIDTH), "mlp.up_proj": (HIDDEN, WIDTH), "mlp.down_proj": (WIDTH, HIDDEN),
            "input_layernorm": (WIDTH,), "post_attention_layernorm": (WIDTH,),
        }  # fmt: skip
        tensors |= {f"model.layers.{index}.{name}.weight": draw(*shape) for name, shape in layer.items()}
    return tensors


def write(folder: Path, tensors: dict[str, Tensor], files: int = 1, **changes: Any) -> Path:
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}))
    if files == 1:
        save_file(tensors, folder / "model.safetensors")
        return folder
    places = {name: f"model-{index % files + 1:05}-of-{files:05}.safetensors" for index, name in enumerate(tensors)}
    for file in set(places.values()):
        save_file({name: t for name, t in tensors.items() if places[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return folder


def llama(tensors: dict[str, Tensor], tokens: Tensor, neighbours: bool) -> Tensor:
    """Hidden states [S, M] of tokens [S] by the definition, with every position's attention written out."""

    def norm(x: Tensor, name: str) -> Tensor:
        return x / (x.square().mean(-1, keepdim=True) + EPS).sqrt() * tensors[f"model.{name}.weight"]

    def turned(heads: Tensor) -> Tensor:  # [S, heads, D]
        pairs = heads.unflatten(-1, (-1, 2)) if neighbours else heads.unflatten(-1, (2, -1)).transpose(-1, -2)
        angles = torch.arange(len(tokens))[:, None] * THETA ** (-torch.arange(HEAD // 2) * 2 / HEAD)
        return torch.view_as_complex(pairs.contiguous()) * torch.polar(torch.ones_like(angles), angles)[:, None]

    x = tensors["model.embed_tokens.weight"][tokens]
    for index in range(LAYERS):
        w = {n.split(".")[-2]: t for n, t in tensors.items() if n.startswith(f"model.layers.{index}.")}
        y = norm(x, f"layers.{index}.input_layernorm")
        q, k = (turned((y @ w[n].T).unflatten(-1, (-1, HEAD))) for n in ("q_proj", "k_proj"))
        v = (y @ w["v_proj"].T).unflatten(-1, (-1, HEAD))
        seen = torch.zeros(len(tokens), HEADS, HEAD)
        for s in range(len(tokens)):
            for h in range(HEADS):
                g = h * GROUPS // HEADS
                scores = (q[s, h] * k[: s + 1, g].conj()).real.sum(-1) / HEAD**0.5
                seen[s, h] = scores.softmax(0) @ v[: s + 1, g]
        x = x + seen.flatten(1) @ w["o_proj"].T
        y = norm(x, f"layers.{index}.post_attention_layernorm")
        x = x + (F.silu(y @ w["gate_proj"].T) * (y @ w["up_proj"].T)) @ w["down_proj"].T
    return norm(x, "norm")


def backbone(**changes: Any) -> Backbone:
    torch.manual_seed(0)
    return Backbone(BackboneConfig(**{**BACKBONE, **changes}), 4).eval().requires_grad_(False)


@pytest.mark.parametrize(("family", "files", "tied"), [("llama", 1, False), ("llama", 3, True), ("helium", 2, False)])
def test_hidden_states_and_logits_are_those_of_the_text_lm(
    tmp_path: Path, family: str, files: int, tied: bool
) -> None:  # fmt: skip
    tensors = weights()
    if tied:
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    stored = {n: t for n, t in tensors.items() if not (tied and n == "lm_head.weight")}
    write(tmp_path, stored, files, model_type=family, tie_word_embeddings=tied)
    model, text = backbone(), stream()
    start = load_text_lm(model, tmp_path, text)
    assert (start.family, start.layers, start.embedding, start.output) == (family, LAYERS, True, True)
    tokens = torch.tensor([5, 1, 39, 7, 7, 0, 12])
    expected = llama(tensors, tokens, neighbours=family == "helium")
    features = model.features(text.embed(tokens)[None])[0]
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=0)
    logits = text.out(features)
    torch.testing.assert_close(logits[:, :WORDS], expected @ tensors["lm_head.weight"].T, atol=1e-5, rtol=0)
    # The two families differ in nothing else, and the test would see it.
    assert not torch.allclose(llama(tensors, tokens, neighbours=family != "helium"), expected, atol=1e-2)
    for ours, theirs in ((text.embed.weight, "model.embed_tokens.weight"), (text.out.weight, "lm_head.weight")):
        mean = tensors[theirs].mean(0).expand(len(ours) - WORDS, -1)
        torch.testing.assert_close(ours[WORDS:], mean)


def test_rows_of_the_halves_layout_become_neighbours() -> None:
    rows = torch.arange(12.0)[:, None]  # two heads of 6
    assert deinterleave(rows, 6)[:, 0].tolist() == [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]


def test_files_of_the_bare_model_in_16_bits_are_read_too(tmp_path: Path) -> None:
    tensors = {n.removeprefix("model."): t.bfloat16() for n, t in weights().items() if n != "lm_head.weight"}
    tensors["layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(HEAD // 2)  # old files have it
    model = backbone()
    load_text_lm(model, write(tmp_path, tensors))
    down = model.transformer.get_parameter("layers.1.linear2.weight")
    assert down.dtype == torch.float32
    assert torch.equal(down, tensors["layers.1.mlp.down_proj.weight"].float())


def test_a_stream_with_other_words_or_another_width_keeps_what_does_not_fit(tmp_path: Path) -> None:
    write(tmp_path, weights())
    model, other = backbone(), stream(words=20)
    before = other.embed.weight.clone()
    start = load_text_lm(model, tmp_path, other)
    assert not start.embedding and "20 pieces" in start.notice and "40 words" in start.notice
    assert torch.equal(other.embed.weight, before)
    narrow = stream(z_dim=16)
    start = load_text_lm(backbone(z_dim=16), tmp_path, narrow)
    assert start.embedding and not start.output and "z_dim" in start.notice


def audio_lm(folder: Path) -> dict[str, Any]:
    return {
        "task": "speech_continuation", "codec": tiny.codec(), "backbone": BACKBONE,
        "text": {"tokenizer_path": str(folder / "words.model"), "n_bins": WORDS},
        "head": {"kind": "lsd", "channels": 16, "depth": 1},
    }  # fmt: skip


def test_a_whole_model_wants_the_text_lms_own_tokenizer(tmp_path: Path) -> None:
    write(tmp_path, weights())
    model = AudioLM(ContinuationModelConfig.model_validate(audio_lm(tmp_path)))
    with pytest.raises(InputError, match=r"no tokenizer .*words\.model; put the one of the text LM"):
        start_audio_lm(model, tmp_path)
    (tmp_path / "words.model").touch()
    start = start_audio_lm(model, tmp_path)
    assert start.embedding and start.output


def test_what_began_as_a_text_lm_may_have_a_rate_of_its_own(tmp_path: Path) -> None:
    values = {
        "kind": "continuation", "folder": "f", "latents": "l", "corpus": "c", "codec": "d", "model": audio_lm(tmp_path),
        "schedule": {"steps": 1, "batch": 1, "learning_rate": 2e-4, "weight_decay": 0.1},
    }  # fmt: skip
    recipe = ContinuationRecipe.model_validate(values)
    model = AudioLM(recipe.model)
    every = sorted(p.numel() for p in model.parameters())
    groups = parameter_groups(model, recipe)
    assert [(g["lr"], g["weight_decay"]) for g in groups] == [(2e-4, 0.1), (2e-4, 0.0)]
    assert sorted(p.numel() for g in groups for p in g["params"]) == every
    groups = parameter_groups(model, recipe.model_copy(update={"backbone_learning_rate": 5e-5}))
    assert [(g["lr"], g["weight_decay"]) for g in groups] == [(2e-4, 0.1), (2e-4, 0.0), (5e-5, 0.1), (5e-5, 0.0)]
    assert sorted(p.numel() for g in groups for p in g["params"]) == every
    assert any(p is model.backbone.get_parameter("transformer.layers.0.linear1.weight") for p in groups[2]["params"])


def _without(name: str) -> Callable[[dict[str, Tensor]], None]:
    return lambda tensors: tensors.__delitem__(name)


def _with(name: str, value: Tensor) -> Callable[[dict[str, Tensor]], None]:
    return lambda tensors: tensors.__setitem__(name, value)


Q = "model.layers.1.self_attn.q_proj"


@pytest.mark.parametrize(
    ("change", "config", "sizes", "said"),
    [
        (None, {"model_type": "gemma3_text"}, {}, "type 'gemma3_text'; only helium and llama"),
        (None, {"hidden_act": "gelu"}, {}, "hidden_act 'gelu'"),
        (None, {"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, {}, "rope_type 'llama3'"),
        (None, {}, {"norm": "layer", "num_layers": 2}, "num_layers: 3 (now 2), norm: rms (now layer)"),
        (None, {"rope_theta": 1e4}, {}, "max_period: 10000.0 (now 500.0)"),
        (_without(f"{Q}.weight"), {}, {}, f"lacks the tensor '{Q}.weight'"),
        (_with(f"{Q}.weight", torch.zeros(32, 31)), {}, {}, "shape [32, 31], but config.json asks"),
        (_with(f"{Q}.weight", torch.zeros(32, 32, dtype=torch.int8)), {}, {}, "torch.int8"),
        (_with(f"{Q}.bias", torch.zeros(32)), {}, {}, f"the tensor '{Q}.bias', which the layers"),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path,
    change: Callable[[dict[str, Tensor]], None] | None,
    config: dict[str, Any],
    sizes: dict[str, Any],
    said: str,
) -> None:
    tensors = weights()
    if change is not None:
        change(tensors)
    write(tmp_path, tensors, **config)
    with pytest.raises(InputError) as error:
        load_text_lm(backbone(**sizes), tmp_path)
    assert said in str(error.value)


def test_files_that_are_missing_or_damaged_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"config\.json"):
        load_text_lm(backbone(), tmp_path)
    write(tmp_path, weights(), files=2)
    (tmp_path / "model-00002-of-00002.safetensors").write_bytes(b"half")
    with pytest.raises(InputError, match=r"model-00002-of-00002\.safetensors is damaged"):
        load_text_lm(backbone(), tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="not a JSON mapping"):
        load_text_lm(backbone(), tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(InputError, match="has no 'vocab_size'"):
        load_text_lm(backbone(), tmp_path)
    monkeypatch.setenv("CALM_OFFLINE", "1")
    with pytest.raises(InputError, match=r"somebody/text-lm/config\.json is not in the cache"):
        load_text_lm(backbone(), "hf://somebody/text-lm@main")
