"""Compile the layers of a model that trains: chains of elementwise operations become one pass over memory.

On a CPU the matrix products of a small model take less time than what lies between them. The first steps take a minute
longer. Draws stay what they were; losses differ in the last bits, so a run that was begun one way should be resumed
that way.
"""

from __future__ import annotations

from torch import nn

from calm_core.codecs.trunk import Stack
from calm_core.nn.adaln_mlp import AdaLNMLP
from calm_core.nn.transformer import TransformerLayer

# Modules whose calls are compiled; what they are called from stays as it is.
LAYERS = (AdaLNMLP, Stack, TransformerLayer)


def compile_layers(module: nn.Module) -> int:
    """Compile the layers inside `module` in place; returns how many.

    Batches differ in their length, so shapes are symbols from the first step on and nothing is compiled twice.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, LAYERS)]
    for layer in layers:
        layer.compile(dynamic=True)
    return len(layers)
