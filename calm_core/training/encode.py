"""Make latents of recordings once: `calm encode RECIPE.yaml` writes the shards that training reads.

`kind: encode_clap` writes the CLAP embeddings of a corpus instead (`clap_embeddings`), and `kind: fit_text_map` the map
from its captions to its sounds (`text_map`).

A run that was killed goes on where it was: finished shards stay, and records that are in them are read over.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, TypeAdapter, ValidationError

from calm_core.codecs import Codec, RVQCodec, build_codec
from calm_core.config import CodecConfig, SpectralConfig, describe
from calm_core.errors import InputError
from calm_core.training.check import build_without_storage, channels, check_weights
from calm_core.training.clap_embeddings import ClapEncodeRecipe, encode_clap
from calm_core.training.faults import Faults
from calm_core.training.latent_shards import ShardWriter, index_path, open_latents, write_index
from calm_core.training.latents import load_codec as load_weights
from calm_core.training.recipes import Strict, read_values
from calm_core.training.sources import Record, Source, records
from calm_core.training.statistics import write_statistics
from calm_core.training.text_map import TextMapRecipe, fit_text_map


class EncodeRecipe(Strict):
    """`kind: encode`: recordings through a codec to shards of latents."""

    kind: Literal["encode"]
    source: Source
    codec: Path = Field(description="codec.safetensors of a finished codec")
    codec_model: CodecConfig = SpectralConfig()
    latents: Path = Field(description="folder that training names as its latents")
    split: str = Field("train", description="train, valid or heldout: the name of the shards")
    batch: int = Field(16, ge=1, description="recordings encoded at once")
    rows_a_shard: int = Field(2000, ge=1)
    least_seconds: float = Field(0.5, ge=0)
    most_seconds: float = Field(30.0, gt=0, description="longer recordings are left out")
    limit: int | None = Field(None, ge=1, description="recordings, on each process; all of them when left out")
    on_corrupt: Literal["stop", "skip"] = "stop"


AnyEncodeRecipe = EncodeRecipe | ClapEncodeRecipe | TextMapRecipe


def read_encode_recipe(path: Path, overrides: list[str]) -> AnyEncodeRecipe:
    """Read the recipe; for overrides see `recipes.read_values`.

    Raises:
        InputError: The file is missing or a key or value is wrong; the message names it.
    """
    try:
        return TypeAdapter(Annotated[AnyEncodeRecipe, Field(discriminator="kind")]).validate_python(
            read_values(path, overrides)
        )
    except ValidationError as error:
        raise InputError(f"The recipe {path}: {describe(error)}") from None


def load_codec(recipe: EncodeRecipe, device: torch.device) -> Codec:
    """The recipe's codec, ready to encode.

    Raises:
        InputError: The weights are missing or made for other shapes.
    """
    shapes = build_without_storage(lambda: build_codec(recipe.codec_model), "codec_model")
    check_weights(recipe.codec, shapes, "codec")
    codec = build_codec(recipe.codec_model)
    load_weights(codec, recipe.codec)
    return codec.to(device)


def batches_of_like_length(items: Iterator[Record], size: int, pool: int = 8) -> Iterator[list[Record]]:
    """Batches out of pools of `pool` batches, so that little of a batch is padding."""
    waiting: list[Record] = []

    def cut() -> Iterator[list[Record]]:
        waiting.sort(key=lambda record: len(record.samples))
        for at in range(0, len(waiting), size):
            yield waiting[at : at + size]
        waiting.clear()

    for item in items:
        waiting.append(item)
        if len(waiting) == size * pool:
            yield from cut()
    yield from cut()


@torch.inference_mode()
def encode_batch(codec: Codec, batch: list[Record], device: torch.device) -> list[torch.Tensor]:
    """Latents `[T, D]` of each record, or codes `[T, K]` of a codec with codebooks.

    The codec is causal, so padding at the end changes nothing before it.
    """
    waves = torch.zeros(len(batch), max(len(record.samples) for record in batch))
    for wave, record in zip(waves, batch, strict=True):
        wave[: len(record.samples)] = record.samples
    wave = waves[:, None].to(device)
    latents = codec.codes(wave) if isinstance(codec, RVQCodec) else codec.encode(wave)
    return [rows[: -(-len(record.samples) // codec.frame_size)] for rows, record in zip(latents, batch, strict=True)]


def encode(recipe: AnyEncodeRecipe, state: Any) -> dict[str, Any]:
    """Encode what the recipe names; several processes share the work.

    For CLAP see `clap_embeddings.encode_clap` and `text_map.fit_text_map`.

    Args:
        recipe: What, with which codec, where to.
        state: `accelerate.PartialState`.

    Returns:
        Figures of all processes together: rows, hours of this run, what was left out and why.

    Raises:
        InputError: The latents are there already, the codec does not fit, or the source fails (see `sources.records`).
    """
    from accelerate.utils import gather_object

    if isinstance(recipe, ClapEncodeRecipe):
        return encode_clap(recipe, state)
    if isinstance(recipe, TextMapRecipe):
        return fit_text_map(recipe, state)
    target = recipe.latents / f"{recipe.split}.safetensors"
    if index_path(target).exists():
        raise InputError(f"{index_path(target)} is there already; name another folder or split, or delete it.")
    codec = load_codec(recipe, state.device)
    faults = Faults(recipe.on_corrupt)
    writer = ShardWriter(recipe.latents, recipe.split, state.process_index, recipe.rows_a_shard)
    left = {"too short": 0, "too long": 0, "there already": 0, "seen twice": 0}
    before, seconds, seen = set(writer.done), 0.0, set[str]()
    began = told = time.monotonic()

    def wanted() -> Iterator[Record]:
        source = records(recipe.source, codec.sample_rate, faults, state.process_index, state.num_processes)
        for record in source:
            if recipe.limit is not None and len(seen) >= recipe.limit:
                return
            length = len(record.samples) / codec.sample_rate
            if length < recipe.least_seconds:
                left["too short"] += 1
            elif length > recipe.most_seconds:
                left["too long"] += 1
            elif record.id in seen:
                left["seen twice"] += 1
            else:
                seen.add(record.id)
                if record.id in before:
                    left["there already"] += 1
                    continue
                yield record

    for batch in batches_of_like_length(wanted(), recipe.batch):
        for record, latents in zip(batch, encode_batch(codec, batch, state.device), strict=True):
            row = {"id": record.id, "speaker": record.speaker, "text": record.text, "phones": [], **record.facts}
            writer.add(row, latents)
            seconds += len(record.samples) / codec.sample_rate
        if state.is_main_process and time.monotonic() - told > 5:
            told = time.monotonic()
            speed = seconds / (told - began)
            print(f"{len(writer.done)} rows, {speed:.0f} times real time", file=sys.stderr, flush=True)
    writer.flush()
    skipped = gather_object(faults.skipped) if state.num_processes > 1 else faults.skipped  # waits for everyone too
    if state.is_main_process:
        facts = {"channels": channels(codec), "frame_rate": codec.frame_rate, "skipped": skipped}
        write_index(recipe.latents, recipe.split, facts)
        if recipe.split == "train" and not isinstance(codec, RVQCodec):
            write_statistics(recipe.latents, open_latents(target)[0].values())
    state.wait_for_everyone()
    mine = {"rows": len(writer.done), "hours": seconds / 3600, "skipped": len(faults.skipped), **left}
    every = gather_object([mine]) if state.num_processes > 1 else [mine]
    return {name: sum(figures[name] for figures in every) for name in mine}


def encode_recipe(path: Path, overrides: list[str]) -> dict[str, Any]:
    """`calm encode RECIPE.yaml [key=value ...]`."""
    from accelerate import PartialState
    from accelerate.utils import parse_flag_from_env

    # Unlike `Accelerator`, the bare state does not look at what says that the processes are to share a CPU.
    state = PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU"))
    return encode(read_encode_recipe(path, overrides), state)
