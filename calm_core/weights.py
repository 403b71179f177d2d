"""Reading model weights: every released layout becomes ours, every fault becomes one sentence.

Layouts that are understood:
    ours      backbone. head. text. voice. codec. latent_mean latent_std
    merged    flow_lm. and mimi.                     (what pocket-tts releases)
    split     the training names of the two halves, each in a file of its own, with fused or
              weight-norm (weight_g, weight_v) convolutions

A codec with codebooks may have fewer levels than its weights: the first ones are its own (`first_levels`).

A weight may be stored in 8 bits: int8 under its name and one scale for each slice of its first axis under `NAME.scale`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import safetensors
import torch
from safetensors import safe_open
from torch import Tensor, nn

from calm_core.errors import InputError

Tensors = dict[str, Tensor]

# Longest match first; names on the left are prefixes.
_MERGED = (
    ("flow_lm.flow_net.", "head.net."),
    ("flow_lm.conditioner.", "text."),
    ("flow_lm.speaker_proj_weight", "voice.proj.weight"),
    ("flow_lm.bos_before_voice", "voice.bos"),
    ("flow_lm.emb_mean", "latent_mean"),
    ("flow_lm.emb_std", "latent_std"),
    ("flow_lm.", "backbone."),
    ("mimi.", "codec."),
)
# What a codec has of each of its levels, level by level along the first axis.
_OF_LEVELS = ("quantizer.codebooks", "quantizer.usage")
_TRAINING_NAMES = {
    "condition_provider.conditioners.transcript_in_segment.embed.weight": "conditioner.embed.weight",
    "condition_provider.conditioners.transcript_in_segment.proj.weight": "conditioner.proj.weight",
    "condition_provider.conditioners.speaker_wavs.output_proj.weight": "speaker_proj_weight",
    "fuser.padding_value": "bos_before_voice",
}
# Parts that only training uses.
_UNUSED = (
    "flow.w_s_t.",
    "condition_provider.conditioners.transcript_in_segment.learnt_padding",
    "condition_provider.conditioners.speaker_wavs.learnt_padding",
    "num_ema_updates",
    "quantizer.vq.",
    "quantizer.logvar_proj.",
    "quantizer.logvar_param",
    "wavlm_",
)


def to_int8(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round a weight to 8 bits, one scale for each slice of its first axis.

    Scales have four significant bits, so that the product with seven has no more than float16 holds and the restored
    weight takes the fast 16-bit path of `nn.packed`.

    Args:
        weight: [out, ...], at least 2-D.

    Returns:
        int8 like the weight, and float16 scales [out]. The restored weight is off by at most half its slice's scale,
        which is at most 9/8 of the slice's largest magnitude over 127, or 2^-20 if that is more.
    """
    largest = weight.float().flatten(1).abs().amax(1)
    mantissa, exponent = torch.frexp((largest / 127).clamp(min=2.0**-20))
    scale = torch.ldexp(torch.ceil(mantissa * 16) / 16, exponent)
    rounded = torch.round(weight.float() / scale.view(-1, *[1] * (weight.ndim - 1)))
    return rounded.to(torch.int8), scale.half()


def _from_int8(tensors: Tensors) -> Tensors:
    """Every 8-bit weight as float32, without its scale."""
    scaled = {name for name, tensor in tensors.items() if tensor.dtype == torch.int8 and f"{name}.scale" in tensors}
    restored: Tensors = {}
    for name, tensor in tensors.items():
        if name in scaled:
            scale = tensors[f"{name}.scale"].float()
            restored[name] = tensor.float() * scale.view(-1, *[1] * (tensor.ndim - 1))
        elif name.removesuffix(".scale") not in scaled:
            restored[name] = tensor
    return restored


def read_tensors(path: Path) -> Tensors:
    """All tensors of a safetensors file; 8-bit weights as float32.

    Raises:
        InputError: no such file, or it is not a whole safetensors file.
    """
    if not path.is_file():
        raise InputError(f"There is no weights file {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            return _from_int8({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise InputError(
            f"The weights file {path.name} is damaged or only half downloaded; delete it and load the model again."
        ) from error


def read_metadata(path: Path) -> dict[str, str]:
    """The text kept in the header of a safetensors file that `read_tensors` could read."""
    with safe_open(path, framework="pt") as file:
        return file.metadata() or {}


def to_ours(tensors: Tensors) -> Tensors:
    """Rename the tensors of one file of any known layout to ours."""
    names = list(tensors)
    if any(n.startswith(("flow_lm.", "mimi.")) for n in names):
        return _rename_merged(tensors)
    if any(n.startswith(("backbone.", "codec.")) for n in names):
        return tensors
    if any(n.startswith("autoencoder.") for n in names):  # codecs with codebooks are in no layout but ours
        return {f"codec.{n}": t for n, t in tensors.items()}
    if any(n.startswith(("encoder.", "model.encoder.")) for n in names):
        return {f"codec.{n}": t for n, t in _split_codec(tensors).items()}
    return _rename_merged({f"flow_lm.{n}": t for n, t in _split_backbone(tensors).items()})


def _rename_merged(tensors: Tensors) -> Tensors:
    renamed: Tensors = {}
    for name, tensor in tensors.items():
        for old, new in _MERGED:
            if name.startswith(old):
                name = new + name.removeprefix(old)
                break
        renamed[name] = tensor
    return renamed


def _split_backbone(tensors: Tensors) -> Tensors:
    return {
        _TRAINING_NAMES.get(name, name).replace("in_proj_weight", "in_proj.weight"): tensor
        for name, tensor in tensors.items()
        if not name.startswith(_UNUSED)
    }


def _split_codec(tensors: Tensors) -> Tensors:
    renamed: Tensors = {}
    for full, tensor in tensors.items():
        name = full.removeprefix("model.")
        if name.startswith(_UNUSED) or "_codebook" in name or name.endswith(".weight_v"):
            continue
        if name.endswith(".weight_g"):
            # Weight norm (Salimans and Kingma 2016): gain times the direction of each filter.
            direction = tensors[full.removesuffix("_g") + "_v"]
            tensor = torch._weight_norm(direction, tensor, 0)
            name = name.removesuffix("_g")
        name = name.replace(".conv.conv.", ".conv.").replace(".convtr.convtr.", ".convtr.")
        renamed[name.replace("in_proj_weight", "in_proj.weight")] = tensor
    return renamed


def pick_device(name: str) -> torch.device:
    """A torch device by name.

    Raises:
        InputError: there is no such device on this machine.
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"There is no device '{name}' on this machine; use 'cpu'.") from error
    return device


def fits(name: str, found: Sequence[int], expected: Sequence[int]) -> bool:
    """Whether a stored tensor has the shape that a module asks for, or at least as many levels of a codec."""
    if name.endswith(_OF_LEVELS) and len(found) == len(expected):
        return found[0] >= expected[0] and list(found[1:]) == list(expected[1:])
    return list(found) == list(expected)


def first_levels(tensors: Tensors, expected: Mapping[str, Tensor]) -> Tensors:
    """The tensors, but of a codec's levels only as many as are `expected`.

    Residual codes are nested: the first levels of a codec are a codec of fewer bits, which quantizer dropout trains
    (SoundStream, Zeghidour et al. 2021, section III-C).
    """
    return {
        name: tensor[: expected[name].shape[0]] if name.endswith(_OF_LEVELS) and name in expected else tensor
        for name, tensor in tensors.items()
    }


def load_into(
    build: Callable[[], nn.Module],
    tensors: Tensors,
    source: str,
    device: torch.device | str = "cpu",
) -> nn.Module:
    """Build a module around tensors that are already in memory.

    The module is built without storage and takes the tensors as they are, so the weights exist
    once. Half-precision tensors become float32; `nn.packed` finds those that fit into 16 bits.

    Args:
        build: makes the module.
        tensors: in our layout.
        source: what to call the file in errors.
        device: where the module goes.

    Raises:
        InputError: tensors that are missing, unknown or of another shape.
    """
    with torch.device("meta"):
        module = build()
    if hasattr(module, "drop_training_parts"):
        module.drop_training_parts()  # type: ignore[operator]
    tensors = {n: t for n, t in tensors.items() if not n.startswith("head.weight.")}
    expected = module.state_dict()
    missing = sorted(expected.keys() - tensors.keys())
    unknown = sorted(tensors.keys() - expected.keys())
    if missing or unknown:
        raise InputError(_describe_names(source, missing, unknown))
    for name, tensor in tensors.items():
        if not fits(name, tensor.shape, expected[name].shape):
            raise InputError(
                f"{source}: the tensor '{name}' has shape {list(tensor.shape)} but the "
                f"configuration asks for {list(expected[name].shape)}; use the weights that belong "
                f"to this configuration."
            )
    tensors = first_levels(tensors, expected)
    floats = {n: t.to(device, torch.float32 if t.is_floating_point() else t.dtype) for n, t in tensors.items()}
    module.load_state_dict(floats, strict=True, assign=True)
    return module.eval().requires_grad_(False)


def _describe_names(source: str, missing: list[str], unknown: list[str]) -> str:
    faults = []
    if missing:
        faults.append(f"{len(missing)} tensors are missing, the first is '{missing[0]}'")
    if unknown:
        faults.append(f"{len(unknown)} are not known, the first is '{unknown[0]}'")
    return (
        f"{source} does not fit the configuration: {'; '.join(faults)}; use the weights that "
        f"belong to this configuration."
    )
