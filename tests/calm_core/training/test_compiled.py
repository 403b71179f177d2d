"""Compiled layers give the losses and gradients of plain ones."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch._inductor import config as inductor

from calm_core.heads.lsd import LSDHead
from calm_core.nn.transformer import TransformerLayer
from calm_core.training.compiled import compile_layers

pytestmark = pytest.mark.long


class _Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = TransformerLayer(16, 2, 32)
        self.head = LSDHead(latent_dim=4, cond_dim=16, channels=8, depth=1)
        self.head.off_diagonal_probability = 1.0  # type: ignore[misc]  # the tangents too, at every call
        for parameter in self.head.net.final_layer.parameters():
            nn.init.normal_(parameter, std=0.1)  # zeros at first, which would hide the rest

    def loss(self, frames: torch.Tensor) -> torch.Tensor:
        z = self.layer(frames, None)
        return self.head.loss(z.flatten(0, 1), frames[..., :4].flatten(0, 1), torch.Generator().manual_seed(3)).total


@pytest.mark.filterwarnings("ignore")  # those of the compiler itself
def test_losses_and_gradients_are_those_of_plain_layers_at_any_length() -> None:
    torch.manual_seed(0)
    model = _Model()
    batches = [torch.randn(2, steps, 16) for steps in (5, 9)]
    expected = []
    for batch in batches:
        model.zero_grad()
        loss = model.loss(batch)
        loss.backward()
        gradient = model.layer.linear1.weight.grad
        assert gradient is not None
        expected.append((loss.item(), gradient.clone()))
    assert compile_layers(model) == 2
    for batch, (loss, gradient) in zip(batches, expected, strict=True):
        model.zero_grad()
        # Without vectors, for which the compiler would first try out what the machine has.
        with inductor.patch({"cpp.vec_isa_ok": False}):
            found = model.loss(batch)
            found.backward()
        torch.testing.assert_close(found.item(), loss, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(model.layer.linear1.weight.grad, gradient, rtol=1e-3, atol=1e-5)
