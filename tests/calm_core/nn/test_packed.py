import pytest
import torch
from torch import nn

from calm_core.nn.packed import MAX_ROWS, FixedLinear, PackedLinear, available, linear, pack, packed_bytes
from calm_core.nn.seanet_rows import RowDecoder
from calm_core.state import clone
from tests.calm_core.nn.test_streaming_layers import decoder
from tests.calm_core.tiny import randomise

pytestmark = pytest.mark.skipif(not available(), reason="this build of torch has no oneDNN kernels")


@pytest.mark.parametrize(("size", "dtype"), [(24, torch.float32), (512, torch.float32), (512, torch.bfloat16)])
def test_a_row_has_the_same_bits_in_any_company(size: int, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    weight, bias, x = torch.randn(3 * size, size), torch.randn(3 * size), torch.randn(MAX_ROWS, size)
    layer = linear(weight, bias, dtype)
    assert isinstance(layer, FixedLinear if size == 24 else PackedLinear)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the frame thread
    try:
        alone = [layer(row) for row in x]
        for rows in range(1, MAX_ROWS + 1):
            together = layer(x[-rows:].unsqueeze(1)).squeeze(1)
            assert all(torch.equal(a, b) for a, b in zip(together, alone[-rows:], strict=True)), rows
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("rows", [1, 2, 8, 50])
@pytest.mark.parametrize("bias", [True, False])
def test_a_packed_layer_equals_the_plain_one(rows: int, bias: bool) -> None:
    torch.manual_seed(0)
    plain = nn.Linear(96, 80, bias=bias).requires_grad_(False)
    packed = linear(plain.weight, plain.bias)
    assert isinstance(packed, PackedLinear)
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


def test_bfloat16_rounds_and_halves_the_memory() -> None:
    torch.manual_seed(0)
    plain = nn.Linear(96, 80).requires_grad_(False)
    packed = linear(plain.weight, plain.bias, torch.bfloat16)
    assert isinstance(packed, PackedLinear) and packed.weight_bytes == 96 * 80 * 2
    x = torch.randn(3, 96)
    assert packed(x).dtype == torch.float32
    torch.testing.assert_close(packed(x), plain(x), atol=0.03, rtol=0.03)
