from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from calm_core.errors import InputError
from calm_core.model import CALM
from calm_core.nn.packed import fits_half
from calm_core.weights import load_into, read_tensors, to_int8, to_ours
from tests.calm_core import tiny


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CALM:
    return tiny.build(tmp_path_factory.mktemp("model"))


def tensors_of(model: CALM) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in model.state_dict().items() if not k.startswith("head.weight.")}


def merged(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Our names back to those of released files."""
    renamed = {}
    for name, tensor in tensors.items():
        for new, old in (
            ("head.net.", "flow_lm.flow_net."), ("text.", "flow_lm.conditioner."), ("codec.", "mimi."),
            ("voice.proj.weight", "flow_lm.speaker_proj_weight"), ("voice.bos", "flow_lm.bos_before_voice"),
            ("latent_mean", "flow_lm.emb_mean"), ("latent_std", "flow_lm.emb_std"), ("backbone.", "flow_lm."),
        ):  # fmt: skip
            if name.startswith(new):
                name = old + name.removeprefix(new)
                break
        renamed[name] = tensor
    return renamed


def split(tensors: dict[str, torch.Tensor], weight_norm: bool) -> tuple[dict, dict]:
    """Released names to the training names of the two halves."""
    released = merged(tensors)
    lm = {"num_ema_updates": torch.zeros(1), "flow.w_s_t.0.weight": torch.zeros(2, 2)}
    codec = {"quantizer.logvar_proj.weight": torch.zeros(2), "wavlm_proj.weight": torch.zeros(2)}
    prefix = "" if weight_norm else "model."
    names = {
        "conditioner.embed.weight": "condition_provider.conditioners.transcript_in_segment.embed.weight",
        "speaker_proj_weight": "condition_provider.conditioners.speaker_wavs.output_proj.weight",
        "bos_before_voice": "fuser.padding_value",
    }
    for name, tensor in released.items():
        half, _, rest = name.partition(".")
        rest = rest.replace("in_proj.weight", "in_proj_weight")
        if half == "flow_lm":
            lm[names.get(rest, rest)] = tensor
            continue
        rest = prefix + rest
        if rest.endswith(("conv.weight", "convtr.weight")) and weight_norm:
            dims = tuple(range(1, tensor.ndim))
            norm = tensor.norm(dim=dims, keepdim=True)
            codec[_nested(rest) + "_g"] = norm
            codec[_nested(rest) + "_v"] = tensor * 3.0 / norm
        else:
            codec[_nested(rest)] = tensor
    return lm, codec


def _nested(name: str) -> str:
    """Training names hold one more level around a convolution."""
    for inner in (".conv.", ".convtr."):
        if name.endswith((inner + "weight", inner + "bias")):
            head, leaf = name.rsplit(inner, 1)
            return f"{head}{inner}{inner[1:]}{leaf}"
    return name


@pytest.mark.parametrize("layout", ["ours", "merged", "split", "split with weight norm"])
def test_every_layout_becomes_ours(model: CALM, layout: str) -> None:
    expected = tensors_of(model)
    if layout == "ours":
        found = to_ours(expected)
    elif layout == "merged":
        found = to_ours(merged(expected))
    else:
        lm, codec = split(expected, weight_norm="norm" in layout)
        found = to_ours(lm) | to_ours(codec)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-6, rtol=1e-5, msg=name)


def test_the_package_reads_the_split_files_the_same_way(model: CALM, tmp_path: Path) -> None:
    from pocket_tts.utils.weights_loading import get_flow_lm_state_dict, get_mimi_state_dict

    lm, codec = split(tensors_of(model), weight_norm=True)
    save_file({k: v.contiguous() for k, v in lm.items()}, tmp_path / "lm.safetensors")
    save_file({k: v.contiguous() for k, v in codec.items()}, tmp_path / "codec.safetensors")
    theirs = {f"flow_lm.{k}": v for k, v in get_flow_lm_state_dict(tmp_path / "lm.safetensors").items()}
    theirs |= {f"mimi.{k}": v for k, v in get_mimi_state_dict(tmp_path / "codec.safetensors").items()}
    ours = to_ours(lm) | to_ours(codec)
    theirs = to_ours(theirs)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_loading_takes_half_precision_as_float32(model: CALM) -> None:
    half = {k: v.half() for k, v in tensors_of(model).items()}
    loaded = load_into(lambda: CALM(model.config), half, "half.safetensors")
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in loaded.parameters())
    assert isinstance(loaded, CALM)
    torch.testing.assert_close(loaded.backbone.bos_emb, model.backbone.bos_emb, atol=1e-2, rtol=1e-2)


def test_missing_unknown_and_misshapen_tensors_are_named(model: CALM) -> None:
    def fails(tensors: dict[str, torch.Tensor]) -> str:
        with pytest.raises(InputError) as error:
            load_into(lambda: CALM(model.config), tensors, "my.safetensors")
        assert "\n" not in str(error.value) and "my.safetensors" in str(error.value)
        return str(error.value)

    tensors = tensors_of(model)
    assert "backbone.bos_emb" in fails({k: v for k, v in tensors.items() if k != "backbone.bos_emb"})
    assert "surplus" in fails(tensors | {"surplus": torch.zeros(1)})
    text = fails(tensors | {"backbone.bos_emb": torch.zeros(3)})
    assert "[3]" in text and "[8]" in text


def test_damaged_files_are_one_sentence(model: CALM, tmp_path: Path) -> None:
    whole = tmp_path / "whole.safetensors"
    save_file(tensors_of(model), whole)
    half = tmp_path / "half.safetensors"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    empty, words = tmp_path / "empty.safetensors", tmp_path / "words.safetensors"
    empty.write_bytes(b"")
    words.write_text("this is no weights file, it is only words")
    for path in (half, empty, words):
        with pytest.raises(InputError, match="half downloaded"):
            read_tensors(path)
    with pytest.raises(InputError, match="no weights file"):
        read_tensors(tmp_path / "absent.safetensors")


def test_a_weight_in_8_bits_is_off_by_half_a_step_of_its_channel(tmp_path: Path) -> None:
    weight = torch.randn(6, 5, 3, generator=torch.Generator().manual_seed(0)) * 10.0 ** torch.arange(-3, 3).view(
        6, 1, 1
    )
    weight[0, 0] = 0
    stored, scale = to_int8(weight)
    assert stored.dtype == torch.int8 and scale.dtype == torch.float16 and scale.shape == (6,)
    tensors = {"a.weight": stored, "a.weight.scale": scale, "b.scale": torch.ones(2), "c": torch.ones(3).to(torch.int8)}
    save_file(tensors, tmp_path / "w.safetensors")
    read = read_tensors(tmp_path / "w.safetensors")
    assert read.keys() == {"a.weight", "b.scale", "c"} and read["c"].dtype == torch.int8
    restored = read["a.weight"]
    assert restored.dtype == torch.float32
    error, largest = (restored - weight).abs().flatten(1).amax(1), weight.abs().flatten(1).amax(1)
    assert (error <= 9 / 8 * largest / 127 / 2 * (1 + 1e-6)).all()
    again, same = to_int8(restored)
    torch.testing.assert_close(again * same.view(6, 1, 1).float(), restored, atol=0, rtol=0)
    assert fits_half(restored.flatten(1))  # the fast path of nn.packed
    assert to_int8(torch.zeros(2, 2))[0].eq(0).all()
