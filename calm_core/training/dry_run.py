"""`calm train RECIPE --dry-run`: how large, how heavy and how long a run will be. Writes nothing."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from calm_core.audio_lm import AudioLM, Weights
from calm_core.clap.model import ClapModel
from calm_core.codecs import Codec, build_codec
from calm_core.errors import InputError
from calm_core.model import CALM
from calm_core.training.check import build_without_storage, channels, check
from calm_core.training.cost import matrix_peak, trace
from calm_core.training.data import Corpus
from calm_core.training.latent_shards import latents_exist, open_latents
from calm_core.training.latents import TTSBatch
from calm_core.training.recipes import (
    ClapRecipe,
    CodecRecipe,
    ContinuationRecipe,
    DistillationRecipe,
    TTSRecipe,
    read_recipe,
)
from calm_core.training.schedule import count_shares

# Shares of the matrix peak that a step reaches. On a CPU: measured with `python -m evaluation.benchmarks train` (small
# products gain little from the bfloat16 units, whose peak is five times as high). On accelerators: a guess.
CPU_SHARE, CPU_BF16_SHARE, ACCELERATOR_SHARE = 0.35, 0.08, 0.3


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


def usual_length(recipe: TTSRecipe | DistillationRecipe | ContinuationRecipe, frame_rate: float) -> tuple[int, int]:
    """Mean frames and phones of a row. Similar lengths share a batch, so this is what a step sees on average."""
    path = recipe.latents / "train.safetensors"
    if latents_exist(path):
        latents, rows = open_latents(path, getattr(recipe, "on_corrupt", "stop"))
        frames = [latents[row["id"]].shape[0] for row in rows[:: max(1, len(rows) // 256)]]
        phones = [len(row.get("phones", ())) for row in rows]
    else:
        corpus = Corpus(recipe.corpus, "train")
        frames = [math.ceil(row.samples / corpus.sample_rate * frame_rate) for row in corpus.rows]
        phones = [len(row.phones) for row in corpus.rows]
    return max(1, round(sum(frames) / max(1, len(frames)))), max(1, round(sum(phones) / max(1, len(phones))))


class TTSOutline(Outline):
    """A TTS model on latents."""

    recipe: TTSRecipe | DistillationRecipe

    def make(self) -> CALM:
        """The model, with what learns in it."""
        calm = CALM(self.recipe.model)
        calm.codec.requires_grad_(False)
        return calm

    def modules(self) -> dict[str, nn.Module]:
        """See `Outline`."""
        calm: Any = build_without_storage(self.make, "model")
        self.lengths = usual_length(self.recipe, calm.codec.frame_rate)
        return dict(calm.named_children())

    def batch(self, codec: Codec) -> TTSBatch:
        """Rows of usual lengths."""
        rows, (frames, phones), prompt = self.rows, self.lengths, 45
        return TTSBatch(
            latents=torch.zeros(rows, frames, codec.latent_dim),
            frames=torch.full((rows,), frames),
            phones=torch.ones(rows, phones, dtype=torch.long),
            ends=torch.zeros(rows, phones),
            endings=torch.zeros(rows, dtype=torch.long),
            voice=torch.zeros(rows, prompt, codec.encoder_dim),
            voice_frames=torch.full((rows,), prompt),
            texts=("Words.",) * rows,
        )

    def loss(self) -> Callable[[], Tensor]:
        """See `Outline`."""
        from calm_core.training.tts import TTSLoss, open_tokenizer

        assert isinstance(self.recipe, TTSRecipe)
        calm = self.make()
        open_tokenizer(calm)
        module, batch = TTSLoss(calm, self.recipe), self.batch(calm.codec)
        return lambda: module(batch, torch.Generator()).total


class DistillationOutline(TTSOutline):
    """A student; the operations of its teacher are left out."""

    def make(self) -> CALM:
        """See `TTSOutline`."""
        from calm_core.training.distill import freeze

        student = CALM(self.recipe.model)
        student.drop_training_parts()
        freeze(student)
        return student

    def loss(self) -> Callable[[], Tensor]:
        """See `Outline`."""
        from calm_core.training.distill import DistillationLoss, Lesson
        from calm_core.training.tts import open_tokenizer

        student = self.make()
        open_tokenizer(student)
        batch = self.batch(student.codec)
        rows, frames = batch.latents.shape[:2]
        wanted = torch.zeros(rows, frames + 1, student.backbone.z_dim)
        lesson = Lesson(batch, batch.latents, wanted, torch.zeros(batch.phones.shape))
        module = DistillationLoss(student, 1.0)
        return lambda: module(lesson, torch.Generator()).total


class ContinuationOutline(Outline):
    """A model that continues sound."""

    recipe: ContinuationRecipe

    def modules(self) -> dict[str, nn.Module]:
        """See `Outline`."""
        model: Any = build_without_storage(lambda: AudioLM(self.recipe.model), "model")
        model.codec.requires_grad_(False)
        rate = model.codec.frame_rate
        self.frames = min(usual_length(self.recipe, rate)[0], round(self.recipe.seconds * rate))
        return dict(model.named_children())

    def loss(self) -> Callable[[], Tensor]:
        """See `Outline`."""
        model = AudioLM(self.recipe.model)
        model.codec.requires_grad_(False)
        shape = (self.rows, self.frames, channels(model.codec))
        frames = torch.zeros(shape, dtype=torch.long if model.discrete else torch.float32)
        text = None
        if model.text is not None:
            text = torch.zeros(self.rows, self.frames + model.delay, dtype=torch.long)
        told = self.recipe
        weights = Weights(told.head_batch_multiplier, told.context_noise, told.short_noise, head_share=told.head_share)
        lengths, known = torch.full((self.rows,), self.frames), torch.zeros(self.rows, dtype=torch.long)
        clap = None if model.clap is None else torch.zeros(self.rows, model.clap.width)
        return lambda: (
            model.loss(frames, lengths, text, known, clap=clap, generator=torch.Generator(), weights=weights).total
        )


class CodecOutline(Outline):
    """A codec. The operations of its quantizer and its discriminators are left out."""

    recipe: CodecRecipe

    def modules(self) -> dict[str, nn.Module]:
        """See `Outline`."""
        from calm_core.codecs.discriminators import Discriminators
        from calm_core.training.codec import frame_part

        codec: Any = build_without_storage(lambda: build_codec(self.recipe.model), "model")
        frame_part(codec).encoder.requires_grad_(not self.recipe.freeze_encoder)
        size = self.recipe.discriminator_channels
        judges = build_without_storage(lambda: Discriminators(channels=size), "discriminator_channels")
        return {**dict(codec.named_children()), "discriminators": judges}

    def loss(self) -> Callable[[], Tensor]:
        """See `Outline`."""
        from calm_core.training.codec import decoded, frame_part

        codec = frame_part(build_codec(self.recipe.model))
        codec.encoder.requires_grad_(not self.recipe.freeze_encoder)
        samples = round(self.recipe.crop_seconds * codec.frame_rate) * codec.frame_size
        wave = torch.zeros(self.rows, 1, samples)
        pitch = torch.full((self.rows, samples // codec.encoder.hop), 100.0)

        def loss() -> Tensor:
            mean, log_variance = codec.posterior(wave)
            made, log_pitch = decoded(codec, mean, pitch)
            total = made.sum() + log_variance.sum()
            return total if log_pitch is None else total + log_pitch.sum()

        return loss


class ClapOutline(Outline):
    """Sounds and captions in one space."""

    recipe: ClapRecipe

    def modules(self) -> dict[str, nn.Module]:
        """See `Outline`."""
        return dict(build_without_storage(lambda: ClapModel(self.recipe.model), "model").named_children())

    def loss(self) -> Callable[[], Tensor]:
        """See `Outline`; captions of 24 tokens."""
        model = ClapModel(self.recipe.model)
        frames = model.audio.window_frames
        mel, lengths = torch.zeros(self.rows, frames, self.recipe.model.audio.mels), torch.full((self.rows,), frames)
        tokens, same = torch.zeros(self.rows, 24, dtype=torch.long), torch.eye(self.rows, dtype=torch.bool)
        return lambda: model.loss(mel, lengths, tokens, same)


OUTLINES: dict[str, type[Outline]] = {
    "clap": ClapOutline,
    "tts": TTSOutline,
    "codec": CodecOutline,
    "continuation": ContinuationOutline,
    "distillation": DistillationOutline,
}


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
    share = ACCELERATOR_SHARE if device.type != "cpu" else CPU_BF16_SHARE if schedule.bf16 else CPU_SHARE
    seconds = flops / processes / (peak * share)
    return found | {
        "flops_per_step": flops,
        "matrix_peak_flops": peak,
        "assumed_share_of_peak": share,
        "seconds_per_step": seconds,
        "hours": seconds * schedule.steps / 3600,
    }


def plan_recipe(path: Path, overrides: list[str]) -> str:
    """`calm train RECIPE.yaml [key=value ...] --dry-run`: `plan` as JSON."""
    recipe = read_recipe(path, overrides)
    if recipe.kind not in OUTLINES:
        raise InputError(f"A dry run knows the recipes of kind {', '.join(OUTLINES)}, not {recipe.kind}.")
    return json.dumps(plan(recipe, int(os.environ.get("WORLD_SIZE", "1"))))
