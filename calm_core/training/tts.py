"""Train the aligned text-to-speech CALM on latents: the head on every frame, durations beside it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from calm_core.conditioners.aligned import AlignedText
from calm_core.heads import draw_noise
from calm_core.model import CALM
from calm_core.training import checkpoint
from calm_core.training.codec import write_sample
from calm_core.training.data import Corpus
from calm_core.training.latent_shards import latents_exist
from calm_core.training.latents import LatentCorpus, TTSBatch, encode_corpus, load_codec
from calm_core.training.recipes import TTSRecipe
from calm_core.training.trainer import LossTrainer
from calm_core.types import Losses


def valid_steps(lengths: Tensor, longest: int) -> Tensor:
    """`[B, longest]`, true on the first `lengths[b]` steps of row b."""
    return torch.arange(longest, device=lengths.device) < lengths[:, None]


class TTSLoss(nn.Module):
    """A batch to the training loss of a CALM with aligned text, as one forward for distributed wrappers."""

    def __init__(self, calm: CALM, recipe: TTSRecipe):
        super().__init__()
        self.calm, self.recipe = calm, recipe

    def forward(self, batch: TTSBatch, generator: torch.Generator, training: bool = True) -> Losses:
        """The head's and the end-of-speech loss, plus the mean absolute error of the log-durations."""
        recipe, text = self.recipe, self.calm.text
        assert isinstance(text, AlignedText)
        rows, longest = batch.latents.shape[:2]
        voice = self.hear(batch)
        drop = torch.rand(2, rows, generator=generator).to(voice.device) < recipe.condition_dropout * training
        voice = torch.where(drop[0][:, None], text.no_voice.to(voice), voice)
        encoded = text.encode(batch.phones, batch.endings, voice)
        frames = text.align(encoded, batch.ends, longest)
        frames = torch.where(drop[1][:, None, None], text.no_text.to(frames), frames) + voice[:, None]
        losses = self.calm.loss(
            batch.latents,
            batch.frames,
            frames=frames,
            generator=generator,
            head_multiplier=recipe.head_batch_multiplier,
            input_noise=recipe.history_noise * training,
        )
        phones = batch.phones > 0
        true = (batch.ends - F.pad(batch.ends[:, :-1], (1, 0))).clamp(min=0.005).log()
        duration = (text.log_durations(encoded, batch.phones) - true)[phones].abs().mean()
        parts = {**losses.parts, "duration": duration.detach()}
        return Losses(losses.total + recipe.duration_weight * duration, parts)

    def hear(self, batch: TTSBatch) -> Tensor:
        """The voices `[B, M]` of the prompts."""
        text = self.calm.text
        assert isinstance(text, AlignedText)
        heard = valid_steps(batch.voice_frames, batch.voice.shape[1]).unsqueeze(-1).float()
        return text.voice_summary(self.calm.voice(batch.voice), heard)

    @torch.no_grad()
    def speak(self, batch: TTSBatch, generator: torch.Generator) -> list[Tensor]:
        """The batch's texts in its voices at its phone times: samples `[N]` of each row, in one step of the head."""
        calm, text = self.calm, self.calm.text
        assert isinstance(text, AlignedText)
        rows, longest = batch.latents.shape[:2]
        voice = self.hear(batch)
        frames = text.align(text.encode(batch.phones, batch.endings, voice), batch.ends, longest) + voice[:, None]
        state = calm.backbone.transformer.init_state(rows, longest + 1, voice.device)
        latents = [calm.backbone.start(rows)]
        for frame in frames.unbind(1):
            noise = draw_noise(rows, calm.head.noise_width(1), generator, device=voice.device)
            latents.append(calm.step(latents[-1], noise, state, frame)[0])
        late = F.pad(calm.decoded(torch.stack(latents[1:], dim=1)), (0, 0, 0, 1))  # the decoder lags behind
        delay, size = calm.codec.delay, calm.codec.frame_size
        waves = calm.codec.decode(late)[:, 0, delay:]
        return [wave[: int(count) * size] for wave, count in zip(waves, batch.frames, strict=True)]


def prepare_latents(recipe: TTSRecipe, calm: CALM, device: torch.device) -> None:
    """Encode the corpus once, split by split; files that are there are kept."""
    for split in ("train", "valid", "heldout"):
        path = recipe.latents / f"{split}.safetensors"
        if split == "heldout" and not (recipe.corpus / "manifest.jsonl").exists():
            continue  # latents that came from elsewhere need no corpus, and training reads no held-out speakers
        if not latents_exist(path):
            recipe.latents.mkdir(parents=True, exist_ok=True)
            encode_corpus(calm.codec.to(device), Corpus(recipe.corpus, split), path, device=str(device))


class TTSTrainer(LossTrainer):
    """See `trainer.Trainer`."""

    def __init__(self, recipe: TTSRecipe, accelerator: Any):
        super().__init__(recipe.schedule, recipe.folder, accelerator)
        self.recipe = recipe
        torch.manual_seed(recipe.schedule.seed)  # initial weights: nn.init draws from the global generator
        calm = CALM(recipe.model)
        if recipe.start_from is not None:
            checkpoint.load_fitting(calm, recipe.start_from)
        load_codec(calm.codec, recipe.codec)
        if accelerator.is_main_process:
            prepare_latents(recipe, calm, accelerator.device)
        accelerator.wait_for_everyone()
        self.training = LatentCorpus(recipe.latents / "train.safetensors", on_corrupt=recipe.on_corrupt)
        self.valid = LatentCorpus(recipe.latents / "valid.safetensors")
        calm.latent_mean, calm.latent_std = self.training.statistics()
        self.build(TTSLoss(calm, recipe), self.training.lengths)

    def before_step(self, step: int) -> None:
        """Tell the head how far the training is."""
        assert isinstance(self.model, TTSLoss)
        self.model.calm.head.at_step(step, self.schedule.steps)

    def batch(self, rows: list[int], generator: torch.Generator) -> TTSBatch:
        """See `LossTrainer`."""
        return self.training.collate(rows, generator).to(self.accelerator.device)

    def row_id(self, row: int) -> str:
        """The id of a row of the corpus."""
        return self.training.rows[row]["id"]

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, float]:
        """The losses of the averaged model on held-out texts, with draws that never change."""
        generator = torch.Generator().manual_seed(0)
        batch = self.valid.collate(list(range(min(64, len(self.valid.rows)))), generator).to(self.accelerator.device)
        losses = self.ema.average(batch, generator, training=False)
        self.listen(step)
        return {name: float(value) for name, value in losses.parts.items()}

    def listen(self, step: int) -> None:
        """Write two held-out texts as the averaged model speaks them, with draws that never change."""
        average, generator = self.ema.average, torch.Generator().manual_seed(0)
        assert isinstance(average, TTSLoss)
        rows = list(range(min(2, len(self.valid.rows))))
        batch = self.valid.collate(rows, generator).to(self.accelerator.device)
        for row, samples in zip(rows, average.speak(batch, generator), strict=True):
            name = f"{step:07d}-{self.valid.rows[row]['id']}.flac"
            write_sample(self.folder / "samples" / name, samples, average.calm.codec.sample_rate)

    def export(self, step: int) -> None:
        """Write the averaged model, codec included, as `model.safetensors`."""
        average = self.ema.average
        assert isinstance(average, TTSLoss)
        checkpoint.write_tensors(self.folder / "model.safetensors", average.calm.state_dict(), {"step": str(step)})
