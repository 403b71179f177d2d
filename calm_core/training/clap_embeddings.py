"""CLAP embeddings of a corpus, computed once for models that are conditioned on them.

`clap-train.safetensors` holds row id -> [W, E] float16; with windows of 10 s, w covers seconds [5 w, 5 w + 10) of it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from torch import Tensor

from calm_core.audio import Audio
from calm_core.clap import Clap, load_clap
from calm_core.errors import InputError
from calm_core.training.checkpoint import write_tensors
from calm_core.training.data import Corpus
from calm_core.training.recipes import Strict, embeddings_file


class ClapEncodeRecipe(Strict):
    """`kind: encode_clap`: a corpus through the audio tower of a CLAP."""

    kind: Literal["encode_clap"]
    corpus: Path
    clap: str = Field(description="id, folder or hf:// path, see `clap.load_clap`")
    latents: Path = Field(description="folder of the latents that the embeddings belong to")
    splits: list[str] = Field(["train", "valid"], min_length=1)


def embed_corpus(clap: Clap, corpus: Corpus, process: int = 0, processes: int = 1) -> dict[str, Tensor]:
    """Embeddings [W, E] float16 of the rows that fall to this process, by row id.

    Raises:
        InputError: A row is too short or not finite; the message names it.
    """
    made: dict[str, Tensor] = {}
    rows, shard = corpus.rows[process::processes], ""
    for number, row in enumerate(rows):
        if row.shard != shard:
            corpus.release()
            shard = row.shard
        try:
            made[row.id] = clap.embed_windows(Audio(corpus.audio(row), corpus.sample_rate)).half()
        except InputError as error:
            raise InputError(f"The row {row.id} of {corpus.folder}: {error}") from None
        if process == 0 and number % 200 == 0:
            print(f"CLAP embeddings {number}/{len(rows)}", file=sys.stderr, flush=True)
    corpus.release()
    return made


def encode_clap(recipe: ClapEncodeRecipe, state: Any) -> dict[str, Any]:
    """Embed what the recipe names; several processes share the work.

    Args:
        recipe: Which corpus, with which CLAP, where to.
        state: `accelerate.PartialState`.

    Returns:
        Rows and windows of all splits together, and the width of the embeddings.

    Raises:
        InputError: Embeddings are there already, the corpus or the CLAP is missing, or a row cannot be heard.
    """
    from accelerate.utils import gather_object

    for split in recipe.splits:
        path = embeddings_file(recipe.latents, split)
        if path.exists():
            raise InputError(f"{path} is there already; name another folder, or delete it.")
    corpora = [Corpus(recipe.corpus, split) for split in recipe.splits]
    clap = load_clap(recipe.clap, str(state.device))
    rows = windows = 0
    for split, corpus in zip(recipe.splits, corpora, strict=True):
        mine = embed_corpus(clap, corpus, state.process_index, state.num_processes)
        every = gather_object([mine]) if state.num_processes > 1 else [mine]
        together = {name: tensor for part in every for name, tensor in part.items()}
        if state.is_main_process:
            recipe.latents.mkdir(parents=True, exist_ok=True)
            facts = {"clap": clap.info.id, "width": str(clap.width), "seconds": f"{clap.seconds:g}"}
            write_tensors(embeddings_file(recipe.latents, split), together, facts)
        rows, windows = rows + len(together), windows + sum(len(tensor) for tensor in together.values())
    state.wait_for_everyone()
    return {"rows": rows, "windows": windows, "width": clap.width}
