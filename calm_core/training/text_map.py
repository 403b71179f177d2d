"""Fit the map from where a CLAP puts captions to where it puts their sounds (`conditioners.text_map`).

Ridge regression of the mean direction of a row's windows on each of its captions. There is no draw in it: the penalty
is the one of a grid that serves the captions of the split `valid` best.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from calm_core.clap import Clap, load_clap
from calm_core.clap.windows import mean_direction
from calm_core.conditioners.text_map import TextMap
from calm_core.errors import InputError
from calm_core.training.checkpoint import write_tensors
from calm_core.training.data import Corpus
from calm_core.training.passages import read_embeddings
from calm_core.training.recipes import Strict, embeddings_file

# Shares of the mean variance of a coordinate of the texts.
PENALTIES = tuple(10.0**power for power in range(-4, 3))
_BATCH = 64


class TextMapRecipe(Strict):
    """`kind: fit_text_map`: from the embeddings of a corpus's captions to those of its sounds."""

    kind: Literal["fit_text_map"]
    corpus: Path = Field(description="with captions, or texts alone")
    clap: str = Field(description="id, folder or hf:// path of the CLAP that made the embeddings")
    clap_embeddings: Path = Field(description="folder of clap-train.safetensors and clap-valid.safetensors")
    text_map: Path = Field(description="file to write, which a model names as clap.text_map_path")


@dataclass(frozen=True)
class Pairs:
    """Captions [N, E] and the sounds [N, E] that they belong to, all of length 1."""

    texts: Tensor
    sounds: Tensor

    def cosine(self, texts: Tensor) -> float:
        """Mean cosine of `texts` [N, E] and the sounds."""
        return float((texts * self.sounds).sum(1).mean())


def read_pairs(clap: Clap, corpus: Path, folder: Path, split: str) -> Pairs:
    """The captions of a split, embedded, and the sounds of their rows.

    Raises:
        InputError: There is no corpus, a row has no embedding, or they are of another CLAP.
    """
    said = {row.id: [text for text in row.captions or [row.text] if text.strip()] for row in Corpus(corpus, split).rows}
    rows = [name for name, texts in said.items() if texts]
    if not rows:
        raise InputError(f"No row of the split {split} of {corpus} has a caption or a text; there is nothing to fit.")
    embeddings = read_embeddings(embeddings_file(folder, split), rows)
    captions, sounds = [], []
    for row in rows:
        captions += said[row]
        sounds += [mean_direction(embeddings[row])] * len(said[row])
    if sounds[0].numel() != clap.width:
        raise InputError(
            f"The embeddings of {folder} have {sounds[0].numel()} numbers and those of '{clap.info.id}' {clap.width}; "
            "name the CLAP that made them."
        )
    texts = [clap.embed_text(captions[at : at + _BATCH]) for at in range(0, len(captions), _BATCH)]
    return Pairs(torch.cat(texts), torch.stack(sounds))


def fit(pairs: Pairs, penalty: float) -> TextMap:
    """Ridge regression with an intercept.

    Args:
        pairs: What is fitted.
        penalty: As a share of the mean variance of a coordinate of the texts; more draws all texts to the mean sound.
    """
    texts, sounds = pairs.texts.double(), pairs.sounds.double()
    centre, mean = texts.mean(0), sounds.mean(0)
    centred = texts - centre
    covariance = centred.T @ centred / len(texts)
    ridge = penalty * covariance.diagonal().mean() * torch.eye(len(centre), dtype=covariance.dtype)
    weight = torch.linalg.solve(covariance + ridge, centred.T @ (sounds - mean) / len(texts)).T
    return TextMap(weight, mean - weight @ centre)


def fit_text_map(recipe: TextMapRecipe, state: Any) -> dict[str, Any]:
    """Fit what the recipe names; other processes than the first wait.

    Returns:
        The cosine of captions and sounds of `valid` before and after, the penalty, and the captions of `train`.

    Raises:
        InputError: The file is there already, or see `read_pairs`.
    """
    if recipe.text_map.exists():
        raise InputError(f"{recipe.text_map} is there already; name another file, or delete it.")
    if not state.is_main_process:
        state.wait_for_everyone()
        return {}
    clap = load_clap(recipe.clap, str(state.device))
    train, valid = (read_pairs(clap, recipe.corpus, recipe.clap_embeddings, split) for split in ("train", "valid"))
    maps = {penalty: fit(train, penalty) for penalty in PENALTIES}
    best = max(PENALTIES, key=lambda penalty: valid.cosine(maps[penalty](valid.texts)))
    figures = {
        "captions": len(train.texts), "penalty": best, "cosine_before": valid.cosine(valid.texts),
        "cosine_after": valid.cosine(maps[best](valid.texts)),
    }  # fmt: skip
    recipe.text_map.parent.mkdir(parents=True, exist_ok=True)
    tensors = {"weight": maps[best].weight.half(), "bias": maps[best].bias.half()}
    write_tensors(recipe.text_map, tensors, {"clap": clap.info.id, **{k: str(v) for k, v in figures.items()}})
    state.wait_for_everyone()
    return figures
