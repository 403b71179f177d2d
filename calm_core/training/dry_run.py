"""`calm train RECIPE --dry-run`: how large, how heavy and how long a run will be. Writes nothing."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from calm_core.codecs import build_codec
from calm_core.errors import InputError
from calm_core.model import CALM
from calm_core.training.check import build_without_storage, check
from calm_core.training.cost import matrix_peak, trace
from calm_core.training.data import Corpus
from calm_core.training.latent_shards import latents_exist, open_latents
from calm_core.training.latents import TTSBatch
from calm_core.training.recipes import CodecRecipe, TTSRecipe, read_recipe
from calm_core.training.schedule import count_shares

# Share of the matrix peak that small models reach here on a CPU, see `python -m evaluation.benchmarks train`.
USUAL_SHARE = 0.3


class Outline:
    """What a recipe trains, as far as its costs go. A new kind of recipe adds a subclass to `OUTLINES`.

    Args:
        recipe: Checked.
        rows: Of a share of the batch.
    """

    def __init__(self, recipe: Any, rows: int):
        self.recipe, self.rows = recipe, rows

    def modules(self) -> dict[str, nn.Module]:
        """What there is, by name; `requires_grad` says what learns."""
        raise NotImplementedError

    def loss(self) -> Callable[[], Tensor]:
        """Make modules and a batch of usual lengths; returns what computes the loss (see `cost.trace`)."""
        raise NotImplementedError


class TTSOutline(Outline):
    """An aligned TTS model on latents."""

    recipe: TTSRecipe

    def __init__(self, recipe: TTSRecipe, rows: int):
        super().__init__(recipe, rows)
        path = recipe.latents / "train.safetensors"
        if latents_exist(path):
            latents, described = open_latents(path, recipe.on_corrupt)
            frames = [latents[row["id"]].shape[0] for row in described[:: max(1, len(described) // 256)]]
            phones = [len(row["phones"]) for row in described]
        else:
            corpus = Corpus(recipe.corpus, "train")
            frames = [math.ceil(row.samples / corpus.sample_rate * self.frame_rate()) for row in corpus.rows]
            phones = [len(row.phones) for row in corpus.rows]
        # Similar lengths share a batch, so the mean length is what a step sees on average.
        self.frames = max(1, round(sum(frames) / max(1, len(frames))))
        self.phones = max(1, round(sum(phones) / max(1, len(phones))))

    def frame_rate(self) -> float:
        """Of the codec, frames a second."""
        with torch.device("meta"):
            return build_codec(self.recipe.model.codec).frame_rate

    def modules(self) -> dict[str, nn.Module]:
        """See `Outline`."""
        calm = build_without_storage(lambda: CALM(self.recipe.model), "model")
        assert isinstance(calm, CALM)
        calm.codec.requires_grad_(False)
        return dict(calm.named_children())

    def loss(self) -> Callable[[], Tensor]:
        """See `Outline`."""
        from calm_core.training.tts import TTSLoss

        calm = CALM(self.recipe.model)
        calm.codec.requires_grad_(False)
        module, (b, t, n, p, d) = (
            TTSLoss(calm, self.recipe),
            (self.rows, self.frames, self.phones, 45, calm.codec.latent_dim),
        )
        batch = TTSBatch(
            latents=torch.zeros(b, t, d),
            frames=torch.full((b,), t),
            phones=torch.ones(b, n, dtype=torch.long),
            ends=torch.zeros(b, n),
            endings=torch.zeros(b, dtype=torch.long),
            voice=torch.zeros(b, p, calm.codec.encoder_dim),
            voice_frames=torch.full((b,), p),
        )
        return lambda: module(batch, torch.Generator()).total


class CodecOutline(Outline):
    """A codec; its discriminators count as far as they have weights, and their operations are left out."""

    recipe: CodecRecipe

    def modules(self) -> dict[str, nn.Module]:
        """See `Outline`."""
        from calm_core.codecs.discriminators import Discriminators

        codec = build_without_storage(lambda: build_codec(self.recipe.model), "model")
        if self.recipe.freeze_encoder:
            codec.encoder.requires_grad_(False)  # type: ignore[union-attr]
        channels = self.recipe.discriminator_channels
        judges = build_without_storage(lambda: Discriminators(channels=channels), "discriminator_channels")
        return {**dict(codec.named_children()), "discriminators": judges}

    def loss(self) -> Callable[[], Tensor]:
        """See `Outline`."""
        codec: Any = build_codec(self.recipe.model)
        frames = round(self.recipe.crop_seconds * codec.sample_rate / codec.frame_size)
        wave = torch.zeros(self.rows, 1, frames * codec.frame_size)
        pitch = torch.full((self.rows, frames * codec.frame_size // codec.hop), 100.0)

        def loss() -> Tensor:
            mean, log_variance = codec.posterior(wave)
            made, log_pitch = codec.decoder(mean, pitch=pitch)
            return made.sum() + log_pitch.sum() + log_variance.sum()

        return loss


OUTLINES: dict[str, type[Outline]] = {"tts": TTSOutline, "codec": CodecOutline}


def plan(recipe: Any, processes: int = 1, device: torch.device | None = None) -> dict[str, Any]:
    """Figures of a run before it is begun.

    Args:
        recipe: See `recipes.read_recipe`.
        processes: That will share the batch.
        device: Where the matrix peak is measured.

    Returns:
        `parameters` by part; `bytes` of weights, gradients, optimizer, average and activations on one process;
        `flops_per_step` over all processes; `matrix_peak_flops` of this machine in the recipe's arithmetic;
        `seconds_per_step` and `hours` at the usual share of the peak.

    Raises:
        InputError: The recipe needs what is not there, see `check.check`.
    """
    check(recipe)
    schedule = recipe.schedule
    shares = count_shares(schedule, processes)
    outline = OUTLINES[recipe.kind](recipe, schedule.batch // shares)
    modules = outline.modules()
    counts = {name: sum(p.numel() for p in module.parameters()) for name, module in modules.items()}
    learned = sum(p.numel() for m in modules.values() for p in m.parameters() if p.requires_grad)
    weights = sum(t.numel() * t.element_size() for m in modules.values() for t in m.state_dict().values())
    found: dict[str, Any] = {
        "kind": recipe.kind,
        "parameters": {**counts, "all": sum(counts.values()), "learned": learned},
        "bytes": {"weights": weights, "gradients": 4 * learned, "optimizer": 8 * learned, "average": weights},
        "batch": schedule.batch,
        "shares": shares,
        "steps": schedule.steps,
    }
    flops: float
    try:
        cost = trace(outline.loss)
    except (RuntimeError, AttributeError, NotImplementedError, TypeError) as error:
        # Not every sampler can be traced. Two operations a weight forward, four backward, for every row.
        found["not_traced"] = str(error).splitlines()[0] if str(error) else type(error).__name__
        flops = 6.0 * learned * schedule.batch
    else:
        found["bytes"]["activations"] = cost.activation_bytes
        flops = cost.flops * shares
    found["bytes"]["all"] = sum(found["bytes"].values())
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    peak = matrix_peak(device, torch.bfloat16 if schedule.bf16 else torch.float32)
    seconds = flops / processes / (peak * USUAL_SHARE)
    return found | {
        "flops_per_step": flops,
        "matrix_peak_flops": peak,
        "assumed_share_of_peak": USUAL_SHARE,
        "seconds_per_step": seconds,
        "hours": seconds * schedule.steps / 3600,
    }


def plan_recipe(path: Path, overrides: list[str]) -> str:
    """`calm train RECIPE.yaml [key=value ...] --dry-run`: `plan` as JSON."""
    recipe = read_recipe(path, overrides)
    if recipe.kind not in OUTLINES:
        raise InputError(f"A dry run knows the recipes of kind {', '.join(OUTLINES)}, not {recipe.kind}.")
    return json.dumps(plan(recipe, int(os.environ.get("WORLD_SIZE", "1"))))
