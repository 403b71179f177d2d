"""Pre-norm causal Transformer with an explicit key/value state.

The state of one group of streams that move together (`B` rows at the same position):

    {"k": [L, B, G, S, D], "v": the same, "offset": [1], "base": [1]}

`offset` is the position of the next step, `base` the position held in slot 0. Slots that were never
written hold NaN, so that a wrong read is loud. With a finite context only the last `context` steps
are kept: when the slots run out, they move to the front and `base` grows. A list of states, one per
row, lets rows at different positions share the matrix products of one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from calm_core.nn.attention import Attention, attend, causal_mask
from calm_core.nn.rope import Rotation, rotation
from calm_core.state import State

NormKind = Literal["layer", "rms"]
GatingKind = Literal["none", "silu"]


def build_norm(kind: NormKind, channels: int, eps: float = 1e-5) -> nn.LayerNorm | nn.RMSNorm:
    """LayerNorm ("layer") or root mean square norm without centring and bias ("rms", Zhang and Sennrich 2019)."""
    return (nn.RMSNorm if kind == "rms" else nn.LayerNorm)(channels, eps=eps)


class LayerScale(nn.Module):
    """Learned gain for each channel (Touvron et al. 2021)."""

    def __init__(self, channels: int, initial: float):
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels,), initial))

    def forward(self, x: Tensor) -> Tensor:
        """Multiply the last dimension of x by the gains."""
        return self.scale * x


class TransformerLayer(nn.Module):
    """Norm -> attention -> norm -> feed-forward, no biases outside the norms.

    The feed-forward half is W2 gelu(W1 x) with the tanh approximation, or with gating W2 (silu(W1 x) * W3 x) (SwiGLU,
    Shazeer 2020); `linear1` then holds W1 above W3, so that both are one product.

    Args:
        norm, gating, norm_eps: see `Transformer`, as are the sizes.
    """

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        dim_feedforward: int,
        num_kv_heads: int | None = None,
        attn_dim: int | None = None,
        layer_scale: float | None = None,
        norm: NormKind = "layer",
        gating: GatingKind = "none",
        norm_eps: float = 1e-5,
    ):
        super().__init__()
        self.gated = gating == "silu"
        self.self_attn = Attention(d_model, num_heads, num_kv_heads, attn_dim)
        self.norm1 = build_norm(norm, d_model, norm_eps)
        self.norm2 = build_norm(norm, d_model, norm_eps)
        self.linear1 = nn.Linear(d_model, (1 + self.gated) * dim_feedforward, bias=False)
        self.linear2 = nn.Linear(dim_feedforward, d_model, bias=False)
        scaled = layer_scale is not None
        self.layer_scale_1 = LayerScale(d_model, layer_scale) if scaled else nn.Identity()
        self.layer_scale_2 = LayerScale(d_model, layer_scale) if scaled else nn.Identity()

    def feed_forward(self, x: Tensor) -> Tensor:
        """The second residual half, [B, T, M] -> [B, T, M]."""
        hidden = self.linear1(self.norm2(x))
        if self.gated:
            gate, hidden = hidden.chunk(2, dim=-1)
            hidden = F.silu(gate) * hidden
        else:
            hidden = F.gelu(hidden, approximate="tanh")
        return x + self.layer_scale_2(self.linear2(hidden))

    def forward(self, x: Tensor, turn: Rotation | None, mask: Tensor | None = None, causal: bool = True) -> Tensor:
        """The whole layer without history (training), [B, T, M] -> [B, T, M]."""
        x = x + self.layer_scale_1(self.self_attn(self.norm1(x), turn, mask, causal))
        return self.feed_forward(x)


class Transformer(nn.Module):
    """A stack of `TransformerLayer`s.

    Args:
        d_model: width M of input and output.
        num_heads: query heads.
        num_layers: number of layers L.
        dim_feedforward: width of the hidden layer of the feed-forward halves; with gating that of each branch.
        context: steps that a position sees, itself included; None for all of the past.
        max_period: slowest period of the rotary embedding; None for no positions at all.
        layer_scale: initial gain of LayerScale; None leaves it out.
        attn_dim: width of all queries; d_model when None.
        num_kv_heads: key/value heads; num_heads when None.
        norm: "layer" or "rms", see `build_norm`.
        gating: "silu" gates the feed-forward halves, as the Llama family does.
        norm_eps: what the norms add to the variance or the mean square.
    """

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        num_layers: int,
        dim_feedforward: int,
        *,
        context: int | None = None,
        max_period: float | None = 10_000.0,
        layer_scale: float | None = None,
        attn_dim: int | None = None,
        num_kv_heads: int | None = None,
        norm: NormKind = "layer",
        gating: GatingKind = "none",
        norm_eps: float = 1e-5,
    ):
        super().__init__()
        self.d_model = d_model
        self.context = context
        self.max_period = max_period
        self.layers = nn.ModuleList(
            TransformerLayer(
                d_model, num_heads, dim_feedforward, num_kv_heads, attn_dim, layer_scale, norm, gating, norm_eps
            )
            for _ in range(num_layers)
        )
        self.head_dim = (attn_dim or d_model) // num_heads
        self.num_kv_heads = num_kv_heads or num_heads

    def init_state(
        self,
        batch_size: int = 1,
        capacity: int = 256,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> State:
        """An empty state with room for `capacity` steps; it grows or shifts when that is full."""
        shape = (len(self.layers), batch_size, self.num_kv_heads, capacity, self.head_dim)
        nan = float("nan")
        return {
            "k": torch.full(shape, nan, device=device, dtype=dtype),
            "v": torch.full(shape, nan, device=device, dtype=dtype),
            "offset": torch.zeros(1, dtype=torch.long),
            "base": torch.zeros(1, dtype=torch.long),
        }

    def with_room(self, state: State, steps: int) -> State:
        """A copy of `state` with room for `steps` more; the original stays as it is."""
        old = state["k"]
        used = int(state["offset"]) - int(state["base"])
        fresh = self.init_state(old.shape[1], used + steps, old.device, old.dtype)
        for name in ("k", "v"):
            fresh[name][:, :, :, :used] = state[name][:, :, :, :used]
        return {**fresh, "offset": state["offset"].clone(), "base": state["base"].clone()}

    def repeat(self, state: State, times: int) -> State:
        """A copy of `state` in which each row stands `times` times in succession; the original stays as it is."""
        rows = {name: state[name].repeat_interleave(times, dim=1) for name in ("k", "v")}
        return {**rows, "offset": state["offset"].clone(), "base": state["base"].clone()}

    def forward(
        self,
        x: Tensor,
        state: State | Sequence[State] | None = None,
        *,
        keep: Tensor | None = None,
    ) -> Tensor:
        """Run T new steps.

        Args:
            x: [B, T, M].
            state: None for whole sequences (training); one state whose rows are all at the same
                position; or B states of one row each. States are updated in place.
            keep: [B, T] boolean, false where a step must not be seen by later ones (padding that is
                not at the end); only without a state.

        Returns:
            [B, T, M], before any final norm.
        """
        if state is None:
            return self._whole(x, keep)
        assert keep is None
        if isinstance(state, dict):
            return self._stream(x, [state], [slice(None)])
        return self._stream(x, state, [slice(i, i + 1) for i in range(len(state))])

    def _whole(self, x: Tensor, keep: Tensor | None) -> Tensor:
        steps = x.shape[1]
        turn = self._turn(0, steps, x.device)
        mask = None
        if keep is not None or (self.context is not None and steps > self.context):
            mask = causal_mask(steps, steps, self.context, x.device)
            if keep is not None:
                # A padded query still sees itself: a row without any key would give NaN.
                itself = torch.eye(steps, dtype=torch.bool, device=x.device)
                mask = (mask & keep[:, None, :] | itself)[:, None]
        for layer in self.layers:
            x = layer(x, turn, mask, mask is None)
        return x

    def _stream(self, x: Tensor, states: Sequence[State], rows: list[slice]) -> Tensor:
        steps = x.shape[1]
        windows = [self._reserve(state, steps) for state in states]
        turns = [self._turn(int(s["offset"]), steps, x.device) for s in states]
        turn = turns[0]
        if len(turns) > 1 and turn is not None:  # [B, T, 1, D / 2]: each row turns by its own position
            cos, sin = zip(*(t for t in turns if t is not None), strict=True)
            turn = (torch.stack(cos), torch.stack(sin))
        masks = [
            None
            if steps == 1 or (stop - start == steps and not self._limited(steps))
            else causal_mask(steps, stop - start, self.context, x.device)
            for start, stop in windows
        ]
        for index, layer in enumerate(self.layers):
            assert isinstance(layer, TransformerLayer)
            q, k, v = layer.self_attn.project(layer.norm1(x), turn)
            q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
            outputs = []
            for state, row, (start, stop), mask in zip(states, rows, windows, masks, strict=True):
                keys, values = state["k"][index], state["v"][index]
                keys[:, :, stop - steps : stop] = k[row]
                values[:, :, stop - steps : stop] = v[row]
                outputs.append(
                    attend(
                        q[row],
                        keys[:, :, start:stop],
                        values[:, :, start:stop],
                        mask,
                        causal=mask is None and steps > 1,
                    )
                )
            seen = outputs[0] if len(outputs) == 1 else torch.cat(outputs)
            update = layer.self_attn.out_proj(seen.transpose(1, 2).flatten(-2))
            x = layer.feed_forward(x + layer.layer_scale_1(update))
        for state in states:
            state["offset"] = state["offset"] + steps
        return x

    def _turn(self, start: int, steps: int, device: torch.device) -> Rotation | None:
        if self.max_period is None:
            return None
        return rotation(start, steps, self.head_dim, self.max_period, device)

    def _limited(self, steps: int) -> bool:
        return self.context is not None and steps > self.context

    def _reserve(self, state: State, steps: int) -> tuple[int, int]:
        """Make room for `steps` more; returns the slots [start, stop) that they may see."""
        offset, base = int(state["offset"]), int(state["base"])
        stop = offset - base + steps
        past = offset - base
        if self.context is not None:
            past = min(past, self.context - 1)
        capacity = state["k"].shape[3]
        if stop > capacity:
            first = stop - steps - past
            needed = past + steps
            room = capacity
            if needed + past > capacity:  # else moving the kept steps to the front is enough
                room = max(2 * capacity, needed + past + 1)
            for name in ("k", "v"):
                old = state[name]
                shape = (*old.shape[:3], room, old.shape[4])
                fresh = old.new_full(shape, float("nan"))
                fresh[:, :, :, :past] = old[:, :, :, first : first + past]
                state[name] = fresh
            state["base"] = state["base"] + first
            stop = needed
        return stop - steps - past, stop
