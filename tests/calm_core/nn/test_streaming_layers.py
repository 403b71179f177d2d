"""Every layer with a state: pieces equal the whole, the future changes nothing, a batch equals its rows."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from calm_core.nn.conv import CausalConv1d, CausalConvTranspose1d
from calm_core.nn.seanet import ResidualUnit, SEANetDecoder, SEANetEncoder
from calm_core.nn.transformer import Transformer, TransformerLayer
from calm_core.state import State, clone
from tests.calm_core.tiny import randomise, seanet

PIECES = (1, 3, 1, 2, 5)


def encoder() -> SEANetEncoder:
    return SEANetEncoder(**seanet(channels=1, n_residual_layers=2, residual_kernel_size=3, last_kernel_size=3,
                                  dilation_base=2, compress=2))  # fmt: skip


def decoder() -> SEANetDecoder:
    return SEANetDecoder(**seanet(channels=1, n_residual_layers=2, residual_kernel_size=3, last_kernel_size=3,
                                  dilation_base=2, compress=2))  # fmt: skip


# name -> (layer, input channels, input steps for each unit of a piece)
LAYERS: dict[str, tuple[Callable[[], torch.nn.Module], int, int]] = {
    "conv": (lambda: CausalConv1d(6, 4, 7), 6, 1),
    "conv 1x1": (lambda: CausalConv1d(6, 4, 1), 6, 1),
    "conv dilated": (lambda: CausalConv1d(6, 4, 3, dilation=4), 6, 1),
    "conv strided": (lambda: CausalConv1d(6, 4, 8, stride=4), 6, 4),
    "conv replicated": (lambda: CausalConv1d(6, 4, 8, stride=4, replicate=True), 6, 4),
    "transposed": (lambda: CausalConvTranspose1d(6, 4, 8, stride=4), 6, 1),
    "transposed depthwise": (lambda: CausalConvTranspose1d(6, 6, 8, stride=4, groups=6, bias=False), 6, 1),
    "transposed without overlap": (lambda: CausalConvTranspose1d(6, 4, 4, stride=4), 6, 1),
    "residual unit": (lambda: ResidualUnit(6, 3, 2, 2, False), 6, 1),
    "encoder": (encoder, 1, 120),
    "decoder": (decoder, 16, 1),
}


def case(name: str) -> tuple[Any, Tensor, int]:
    build, channels, unit = LAYERS[name]
    torch.manual_seed(1)
    layer = build().eval().requires_grad_(False)
    randomise(layer)
    return layer, torch.randn(2, channels, unit * sum(PIECES)), unit


@pytest.mark.parametrize("name", LAYERS)
def test_pieces_equal_the_whole(name: str) -> None:
    layer, x, unit = case(name)
    state = layer.init_state(2)
    outputs, start = [], 0
    for piece in PIECES:
        outputs.append(layer(x[..., start : start + unit * piece], state))
        start += unit * piece
    torch.testing.assert_close(torch.cat(outputs, -1), layer(x), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_the_future_changes_nothing(name: str) -> None:
    layer, x, unit = case(name)
    changed = x.clone()
    changed[..., 4 * unit :] = 9.0
    whole, other = layer(x), layer(changed)
    kept = whole.shape[-1] * 4 // sum(PIECES)
    torch.testing.assert_close(whole[..., :kept], other[..., :kept], atol=1e-6, rtol=1e-5)
    assert not torch.allclose(whole, other)


@pytest.mark.parametrize("name", LAYERS)
def test_rows_with_states_of_their_own_equal_one_row_each(name: str) -> None:
    layer, x, unit = case(name)
    alone: list[State] = [layer.init_state(1), layer.init_state(1)]
    # The second row is further on than the first.
    layer(x[1:, :, : 2 * unit], alone[1])
    together = [clone(s) for s in alone]
    first, second = x[:1, :, : 3 * unit], x[1:, :, 2 * unit : 5 * unit]
    expected = torch.cat([layer(first, alone[0]), layer(second, alone[1])])
    torch.testing.assert_close(layer(torch.cat([first, second]), together), expected, atol=1e-6, rtol=1e-5)
    again = torch.cat([layer(first, alone[0]), layer(second, alone[1])])
    torch.testing.assert_close(layer(torch.cat([first, second]), together), again, atol=1e-6, rtol=1e-5)


TRANSFORMERS = {
    "plain": {},
    "grouped": {"num_kv_heads": 2},
    "one key head, narrow": {"num_kv_heads": 1, "attn_dim": 24, "num_heads": 3},
    "context": {"context": 4, "layer_scale": 0.1},
    "context and groups": {"context": 3, "num_kv_heads": 2},
    "Llama": {"num_kv_heads": 2, "norm": "rms", "gating": "silu"},
    "gated, context": {"context": 4, "gating": "silu", "layer_scale": 0.1},
}


def transformer(name: str) -> Transformer:
    torch.manual_seed(2)
    sizes: dict[str, Any] = {
        "d_model": 16,
        "num_heads": 4,
        "num_layers": 2,
        "dim_feedforward": 32,
        **TRANSFORMERS[name],
    }
    layer = Transformer(**sizes).eval().requires_grad_(False)
    randomise(layer)
    return layer


@pytest.mark.parametrize("name", TRANSFORMERS)
@pytest.mark.parametrize("capacity", [1, 6, 64])
def test_transformer_pieces_equal_the_whole(name: str, capacity: int) -> None:
    layer = transformer(name)
    x = torch.randn(2, 40, 16)
    state = layer.init_state(2, capacity)
    outputs, start = [], 0
    for piece in (5, 1, 1, 7, 2, 1, 1, 1, 9, 1, 11):
        outputs.append(layer(x[:, start : start + piece], state))
        start += piece
    torch.testing.assert_close(torch.cat(outputs, 1), layer(x), atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformer_the_future_changes_nothing(name: str) -> None:
    layer = transformer(name)
    x = torch.randn(1, 12, 16)
    changed = x.clone()
    changed[:, 7:] = 3.0
    torch.testing.assert_close(layer(x)[:, :7], layer(changed)[:, :7])


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformer_rows_at_different_places_share_a_step(name: str) -> None:
    layer = transformer(name)
    x = torch.randn(3, 20, 16)
    whole = layer(x)
    states = [layer.init_state(1, 4) for _ in range(3)]
    starts = [0, 5, 11]
    for row, start in enumerate(starts):
        if start:
            layer(x[row : row + 1, :start], states[row])
    for step in range(6):
        inputs = torch.stack([x[row, start + step : start + step + 1] for row, start in enumerate(starts)])
        outputs = layer(inputs, states)
        expected = torch.stack([whole[row, start + step : start + step + 1] for row, start in enumerate(starts)])
        torch.testing.assert_close(outputs, expected, atol=2e-6, rtol=1e-5)


def test_the_gated_feed_forward_is_the_published_formula() -> None:
    # SwiGLU (Shazeer 2020, equation 6): W2 (silu(W1 x) * W3 x), behind x / sqrt(mean(x^2) + eps).
    layer = TransformerLayer(2, 1, 1, norm="rms", gating="silu", norm_eps=0.5).requires_grad_(False)
    layer.linear1.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
    layer.linear2.weight.copy_(torch.tensor([[1.0], [10.0]]))
    # x = (3, 4): mean square 12.5, with eps 13 -> (0.83205, 1.10940); gate silu(0.83205) = 0.57976 times 2.21880.
    y = layer.feed_forward(torch.tensor([[[3.0, 4.0]]]))
    torch.testing.assert_close(y, torch.tensor([[[4.28638, 16.86378]]]), atol=1e-4, rtol=0)


def test_context_limits_how_far_a_step_looks_back() -> None:
    layer = transformer("context")
    x = torch.randn(1, 12, 16)
    changed = x.clone()
    changed[:, 0] = 3.0
    # Two layers of context 4 reach 2 * 3 steps back.
    torch.testing.assert_close(layer(x)[:, 7:], layer(changed)[:, 7:])
    assert not torch.allclose(layer(x)[:, 6], layer(changed)[:, 6])


def test_padding_in_front_does_not_reach_the_steps_behind_it() -> None:
    layer = transformer("plain")
    x = torch.randn(1, 6, 16)
    noise = torch.randn(1, 2, 16)
    keep = torch.tensor([[False, False, True, True, True, True, True, True]])
    padded = layer(torch.cat([noise, x], 1), keep=keep)[:, 2:]
    other = layer(torch.cat([noise + 5, x], 1), keep=keep)[:, 2:]
    torch.testing.assert_close(padded, other)
    # Rotary positions are relative: two steps later is the same.
    torch.testing.assert_close(padded, layer(x), atol=2e-6, rtol=1e-5)


def test_a_copy_with_room_leaves_the_original_alone() -> None:
    layer = transformer("plain")
    x = torch.randn(1, 9, 16)
    state = layer.init_state(1, 5)
    layer(x[:, :5], state)
    copy = layer.with_room(state, 4)
    before = clone(state)
    outputs = layer(x[:, 5:], copy)
    torch.testing.assert_close(outputs, layer(x)[:, 5:], atol=2e-6, rtol=1e-5)
    assert all(torch.equal(state[k], before[k]) for k in state)
    assert copy["k"].shape[3] == 9


def test_bf16_autocast_stays_close_and_keeps_the_residual_in_float32() -> None:
    layer = transformer("plain")
    x = torch.randn(2, 10, 16)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    assert y.dtype == torch.float32
    torch.testing.assert_close(y, layer(x), atol=0.05, rtol=0.05)
