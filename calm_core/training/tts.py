"""Train a text-to-speech CALM on latents: the head on every frame; with aligned text, durations beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from calm_core.conditioners.aligned import AlignedText
from calm_core.conditioners.sentences import tidy
from calm_core.conditioners.text import PrefixText
from calm_core.conditioners.tokenizer import load_tokenizer
from calm_core.heads import draw_noise
from calm_core.model import CALM
from calm_core.training import checkpoint
from calm_core.training.codec import write_sample
from calm_core.training.data import Corpus
from calm_core.training.latent_shards import latents_exist
from calm_core.training.latents import LatentCorpus, TTSBatch, encode_corpus, load_codec
from calm_core.training.recipes import DistillationRecipe, TTSRecipe
from calm_core.training.trainer import LossTrainer
from calm_core.types import Losses


def valid_steps(lengths: Tensor, longest: int) -> Tensor:
    """`[B, longest]`, true on the first `lengths[b]` steps of row b."""
    return torch.arange(longest, device=lengths.device) < lengths[:, None]


@dataclass(frozen=True)
class Told:
    """What the rows of a batch are told; arguments of `CALM.loss` and `CALM.conditions`.

    Attributes:
        prefixes: Of prefix text, for each row `[P, M]`.
        frames: Of aligned text, `[B, T, M]`.
        encoded: Of aligned text, phones as encoded, `[B, N, C]`, what durations are predicted from.
    """

    prefixes: list[Tensor] | None = None
    frames: Tensor | None = None
    encoded: Tensor | None = None


def tell(calm: CALM, batch: TTSBatch, without_voice: Tensor | None = None, without_text: Tensor | None = None) -> Told:
    """The conditions of a batch, whole or without some of them.

    A row without its text is what `sampling.cfg_on: text` guides away from, a row without both what `text_and_voice`
    does: with aligned text learned vectors take their places, with prefix text their segments disappear.

    Args:
        calm: A model with either kind of text.
        batch: B rows.
        without_voice: Booleans `[B]`, rows that are not told their voice; None for none.
        without_text: The same of the text.
    """
    nobody = torch.zeros(len(batch.texts), dtype=torch.bool, device=batch.latents.device)
    without_voice = nobody if without_voice is None else without_voice
    without_text = nobody if without_text is None else without_text
    text = calm.text
    if isinstance(text, PrefixText):
        rows = zip(batch.texts, batch.voice, batch.voice_frames, without_voice, without_text, strict=True)
        return Told(
            prefixes=[
                calm.prefix(
                    None if no_voice else voice[:frames],
                    None if no_text else text(text.tokens(tidy(words, text.config)[0])),
                )
                for words, voice, frames, no_voice, no_text in rows
            ]
        )
    assert isinstance(text, AlignedText)
    heard = valid_steps(batch.voice_frames, batch.voice.shape[1]).unsqueeze(-1).float()
    voice = text.voice_summary(calm.voice(batch.voice), heard)
    voice = torch.where(without_voice[:, None], text.no_voice.to(voice), voice)
    encoded = text.encode(batch.phones, batch.endings, voice)
    frames = text.align(encoded, batch.ends, batch.latents.shape[1])
    frames = torch.where(without_text[:, None, None], text.no_text.to(frames), frames) + voice[:, None]
    return Told(frames=frames, encoded=encoded)


def duration_error(calm: CALM, encoded: Tensor, phones: Tensor, log_durations: Tensor) -> Tensor:
    """Mean absolute error of predicted log-durations; `log_durations [B, N]` are the ones to predict."""
    assert isinstance(calm.text, AlignedText)
    return (calm.text.log_durations(encoded, phones) - log_durations)[phones > 0].abs().mean()


class CALMLoss(nn.Module):
    """A batch to the training loss of a CALM, as one forward for distributed wrappers."""

    def __init__(self, calm: CALM):
        super().__init__()
        self.calm = calm


class TTSLoss(CALMLoss):
    """Training on data."""

    def __init__(self, calm: CALM, recipe: TTSRecipe):
        super().__init__(calm)
        self.recipe = recipe

    def forward(self, batch: TTSBatch, generator: torch.Generator, training: bool = True) -> Losses:
        """The head's and the end-of-speech loss; of aligned text, also the error of the durations.

        Text and voice are left out independently, each with probability p. So a share p (1 - p) of the rows knows the
        voice alone and p^2 knows nothing: whatever guidance asks for (see `tell`) has occurred.
        """
        recipe = self.recipe
        drop = torch.rand(2, len(batch.texts), generator=generator).to(batch.latents.device)
        without_voice, without_text = drop < recipe.condition_dropout * training
        told = tell(self.calm, batch, without_voice, without_text)
        losses = self.calm.loss(
            batch.latents,
            batch.frames,
            told.prefixes,
            told.frames,
            generator=generator,
            head_multiplier=recipe.head_batch_multiplier,
            input_noise=recipe.history_noise * training,
        )
        if told.encoded is None:
            return losses
        true = (batch.ends - F.pad(batch.ends[:, :-1], (1, 0))).clamp(min=0.005).log()
        duration = duration_error(self.calm, told.encoded, batch.phones, true)
        parts = {**losses.parts, "duration": duration.detach()}
        return Losses(losses.total + recipe.duration_weight * duration, parts)


@torch.no_grad()
def speak(calm: CALM, batch: TTSBatch, generator: torch.Generator) -> list[Tensor]:
    """A batch's texts in the voices of its prompts, as long as they were: samples `[N]` of each row.

    Aligned text follows the phone times of the batch. The head takes one step, without guidance.
    """
    told, device = tell(calm, batch), batch.latents.device
    transformer, longest = calm.backbone.transformer, batch.latents.shape[1]
    waves = []
    for row, count in enumerate(batch.frames.tolist()):
        prefix = [] if told.prefixes is None else [told.prefixes[row][None]]
        state = transformer.init_state(1, longest + 1 + sum(part.shape[1] for part in prefix), device)
        for part in prefix:
            calm.backbone.prompt(part, state)
        latents = [calm.backbone.start(1)]
        for t in range(count + 1):  # the decoder lags behind, by less than a frame
            frame = None if told.frames is None else told.frames[row : row + 1, min(t, count - 1)]
            noise = draw_noise(1, calm.head.noise_width(1), generator, device=device)
            latents.append(calm.step(latents[-1], noise, state, frame)[0])
        wave = calm.codec.decode(calm.decoded(torch.stack(latents[1:], dim=1)))[0, 0, calm.codec.delay :]
        waves.append(wave[: count * calm.codec.frame_size])
    return waves


def open_tokenizer(calm: CALM) -> None:
    """Give a model with prefix text its tokenizer, from the path in its configuration.

    Raises:
        InputError: See `load_tokenizer`.
    """
    if isinstance(calm.text, PrefixText):
        config = calm.text.config
        calm.text.tokenizer = load_tokenizer(Path(config.tokenizer_path), config.tokenizer, config.n_bins)


def prepare_latents(recipe: TTSRecipe | DistillationRecipe, calm: CALM, device: torch.device) -> None:
    """Encode the corpus once, split by split; files that are there are kept."""
    for split in ("train", "valid", "heldout"):
        path = recipe.latents / f"{split}.safetensors"
        if split == "heldout" and not (recipe.corpus / "manifest.jsonl").exists():
            continue  # latents that came from elsewhere need no corpus, and training reads no held-out speakers
        if not latents_exist(path):
            recipe.latents.mkdir(parents=True, exist_ok=True)
            encode_corpus(calm.codec.to(device), Corpus(recipe.corpus, split), path, device=str(device))


class TTSTrainer(LossTrainer):
    """See `trainer.Trainer`; `distill` trains a student by overriding what is learned and from what.

    Args:
        recipe: Of either kind.
        accelerator: `accelerate.Accelerator`.
    """

    def __init__(self, recipe: TTSRecipe | DistillationRecipe, accelerator: Any):
        super().__init__(recipe.schedule, recipe.folder, accelerator)
        self.recipe = recipe
        torch.manual_seed(recipe.schedule.seed)  # initial weights: nn.init draws from the global generator
        calm = self.make_model()
        load_codec(calm.codec, recipe.codec)
        open_tokenizer(calm)
        if accelerator.is_main_process:
            prepare_latents(recipe, calm, accelerator.device)
        accelerator.wait_for_everyone()
        self.training = LatentCorpus(recipe.latents / "train.safetensors", on_corrupt=recipe.on_corrupt)
        self.valid = LatentCorpus(recipe.latents / "valid.safetensors")
        self.build(self.make_loss(calm), self.training.lengths)

    def make_model(self) -> CALM:
        """The model that learns, with its first weights."""
        recipe = self.recipe
        assert isinstance(recipe, TTSRecipe)
        calm = CALM(recipe.model)
        if recipe.start_from is not None:
            checkpoint.load_fitting(calm, recipe.start_from, without=("head.",) if recipe.new_head else ())
        return calm

    def make_loss(self, calm: CALM) -> CALMLoss:
        """The module that learns; called when the latents are there."""
        assert isinstance(self.recipe, TTSRecipe)
        calm.latent_mean, calm.latent_std = self.training.statistics()
        return TTSLoss(calm, self.recipe)

    def before_step(self, step: int) -> None:
        """Tell the head how far the training is."""
        assert isinstance(self.model, CALMLoss)
        self.model.calm.head.at_step(step, self.schedule.steps)

    def batch(self, rows: list[int], generator: torch.Generator) -> Any:
        """See `LossTrainer`."""
        batch = self.training.collate(rows, generator).to(self.accelerator.device)
        return self.prepared(batch, generator, True)

    def prepared(self, batch: TTSBatch, generator: torch.Generator, training: bool) -> Any:
        """What the loss is given for a batch that is already on the device."""
        return batch

    def row_id(self, row: int) -> str:
        """The id of a row of the corpus."""
        return self.training.rows[row]["id"]

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, float]:
        """The losses of the averaged model on held-out texts, with draws that never change."""
        generator = torch.Generator().manual_seed(0)
        batch = self.valid.collate(list(range(min(64, len(self.valid.rows)))), generator).to(self.accelerator.device)
        losses = self.ema.average(self.prepared(batch, generator, False), generator, training=False)
        self.listen(step)
        return {name: float(value) for name, value in losses.parts.items()}

    def listen(self, step: int) -> None:
        """Write two held-out texts as the averaged model speaks them, with draws that never change."""
        average, generator = self.ema.average, torch.Generator().manual_seed(0)
        assert isinstance(average, CALMLoss)
        rows = list(range(min(2, len(self.valid.rows))))
        batch = self.valid.collate(rows, generator).to(self.accelerator.device)
        for row, samples in zip(rows, speak(average.calm, batch, generator), strict=True):
            name = f"{step:07d}-{self.valid.rows[row]['id']}.flac"
            write_sample(self.folder / "samples" / name, samples, average.calm.codec.sample_rate)

    def export(self, step: int) -> None:
        """Write the averaged model, codec included, as `model.safetensors`."""
        average = self.ema.average
        assert isinstance(average, CALMLoss)
        checkpoint.write_tensors(self.folder / "model.safetensors", average.calm.state_dict(), {"step": str(step)})
