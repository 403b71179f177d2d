from typing import Literal

import pytest
import torch
from torch import nn

from calm_core.nn.packed import (
    MAX_ROWS,
    FixedLinear,
    HalfLinear,
    PackedLinear,
    available,
    half_available,
    linear,
    pack,
    packed_bytes,
)
from calm_core.nn.seanet_rows import RowDecoder
from calm_core.nn.transformer import Transformer
from calm_core.state import clone
from tests.calm_core.nn.test_streaming_layers import decoder
from tests.calm_core.tiny import randomise

pytestmark = pytest.mark.skipif(not available(), reason="this build of torch has no oneDNN kernels")
needs_half = pytest.mark.skipif(not half_available(), reason="this machine has no products with 16-bit weights")


def halved(weight: torch.Tensor, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
    return weight.to(dtype).float()


@pytest.mark.parametrize(
    ("size", "kind"), [(24, FixedLinear), (512, PackedLinear), pytest.param(512, HalfLinear, marks=needs_half)]
)
def test_a_row_has_the_same_bits_in_any_company(size: int, kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    weight, bias, x = torch.randn(3 * size, size), torch.randn(3 * size), torch.randn(MAX_ROWS, size)
    layer = linear(halved(weight) if kind is HalfLinear else weight, bias)
    assert isinstance(layer, kind)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the frame thread
    try:
        alone = [layer(row[None])[0] for row in x]
        for rows in range(1, MAX_ROWS + 1):
            together = layer(x[-rows:].unsqueeze(1)).squeeze(1)
            assert all(torch.equal(a, b) for a, b in zip(together, alone[-rows:], strict=True)), rows
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("kind", [PackedLinear, pytest.param(HalfLinear, marks=needs_half)])
@pytest.mark.parametrize("rows", [1, 2, 8, 50])
@pytest.mark.parametrize("bias", [True, False])
def test_a_packed_layer_equals_the_plain_one(rows: int, bias: bool, kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    plain = nn.Linear(96, 80, bias=bias).requires_grad_(False)
    if kind is HalfLinear:
        plain.weight.copy_(halved(plain.weight))
    packed = linear(plain.weight, plain.bias)
    assert isinstance(packed, kind)
    x = torch.randn(rows, 3, 96)
    torch.testing.assert_close(packed(x), plain(x), atol=1e-5, rtol=1e-5)


def test_pack_replaces_large_layers_only_and_counts_their_memory() -> None:
    inner = nn.Sequential(nn.Linear(4, 4), nn.Linear(100, 50, bias=False))
    model = nn.Sequential(nn.Linear(100, 100), inner)
    model.requires_grad_(False)
    x = torch.randn(2, 100)
    expected = model[0](x)
    pack(model)
    assert isinstance(model[0], PackedLinear) and isinstance(inner[0], FixedLinear)
    assert packed_bytes(model) == 4 * (100 * 100 + 100 * 50)
    torch.testing.assert_close(model[0](x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("norm", ["layer", "rms"])
@pytest.mark.parametrize("gating", ["none", "silu"])
def test_a_packed_transformer_equals_the_plain_one_and_a_row_has_the_same_bits_in_company(
    norm: Literal["layer", "rms"], gating: Literal["none", "silu"]
) -> None:
    torch.manual_seed(0)
    model = Transformer(64, 4, 2, 96, num_kv_heads=2, norm=norm, gating=gating).eval().requires_grad_(False)
    randomise(model)
    x = torch.randn(4, 3, 64)
    expected = model(x)
    pack(model)
    torch.testing.assert_close(model(x), expected, atol=1e-5, rtol=1e-5)
    alone, together = ([model.init_state(1, 4) for _ in x] for _ in range(2))
    for step in x.split(1, dim=1):
        each = [model(row[None], [state]) for row, state in zip(step, alone, strict=True)]
        assert torch.equal(model(step, together), torch.cat(each))


def test_the_row_decoder_equals_the_decoder_whole_in_pieces_and_in_company() -> None:
    torch.manual_seed(0)
    plain = decoder().eval().requires_grad_(False)
    randomise(plain)
    rows = RowDecoder(plain)
    assert RowDecoder.fits(plain)
    x = torch.randn(2, 9, 16)
    expected = plain(x.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(rows(x), expected, atol=1e-6, rtol=1e-5)
    state = rows.init_state(2)
    pieces = [rows(piece.contiguous(), state) for piece in x.split([1, 3, 2, 3], dim=1)]
    torch.testing.assert_close(torch.cat(pieces, 1), expected, atol=1e-6, rtol=1e-5)
    alone = [rows.init_state(1), rows.init_state(1)]
    rows(x[1:, :4], alone[1])
    together = rows(torch.cat([x[:1, :3], x[1:, 4:7]]), [clone(s) for s in alone])
    hop = 120
    torch.testing.assert_close(together[:1], expected[:1, : 3 * hop], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(together[1:], expected[1:, 4 * hop : 7 * hop], atol=1e-6, rtol=1e-5)


@needs_half
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("size", [1e-9, 1.0, 3e4])
def test_weights_of_16_bits_lose_nothing(dtype: torch.dtype, size: float) -> None:
    torch.manual_seed(0)
    weight = halved(torch.randn(80, 96) * (size if dtype == torch.bfloat16 else min(size, 1.0)), dtype)
    weight[0, :4] = 0
    layer = linear(weight)
    if not weight.any():  # too small for float16 in the first place
        return
    assert isinstance(layer, HalfLinear) and layer.weight_bytes == 96 * 80 * 2
    # Rows of the identity read the kept weights back.
    torch.testing.assert_close(layer(torch.eye(96)).T, weight, atol=2.0**-32 * float(weight.abs().max()), rtol=0)


@needs_half
def test_weights_of_32_bits_are_rounded_only_on_request() -> None:
    torch.manual_seed(0)
    plain = nn.Linear(96, 80).requires_grad_(False)
    assert isinstance(linear(plain.weight, plain.bias), PackedLinear)
    rounded = linear(plain.weight, plain.bias, rounded=True)
    assert isinstance(rounded, HalfLinear) and rounded.weight_bytes == 96 * 80 * 2
    x = torch.randn(3, 96)
    assert not torch.allclose(rounded(x), plain(x), atol=1e-6)
    torch.testing.assert_close(rounded(x), plain(x), atol=1e-3, rtol=1e-3)


@needs_half
@pytest.mark.parametrize("odd", [0.0, float("inf"), float("nan")])
def test_odd_weights_are_no_trouble(odd: float) -> None:
    weight = torch.full((80, 96), odd)
    x = torch.ones(2, 96)
    torch.testing.assert_close(linear(weight)(x), x @ weight.T, equal_nan=True)
