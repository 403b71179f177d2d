"""Train a CLAP of our own on a corpus with captions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from calm_core.clap.base import tidy
from calm_core.clap.model import ClapModel, contrastive_loss
from calm_core.clap.retrieval import AT, same_texts, wrong_ahead
from calm_core.clap.windows import mean_direction
from calm_core.conditioners.tokenizer import load_tokenizer
from calm_core.training import checkpoint
from calm_core.training.data import Corpus
from calm_core.training.latent_shards import latents_exist
from calm_core.training.mels import Augmentation, ClapBatch, Clips, encode_mels, mels_path
from calm_core.training.recipes import ClapRecipe
from calm_core.training.statistics import exact_statistics
from calm_core.training.tokenizers import train_tokenizer
from calm_core.training.trainer import LossTrainer
from calm_core.types import Losses


class ClapLoss(nn.Module):
    """A batch to its loss, as one forward for distributed wrappers.

    The negatives are the other rows of the share of the batch that is computed at once: on several processes, or with
    `schedule.accumulate`, each share is contrasted with itself.
    """

    def __init__(self, model: ClapModel):
        super().__init__()
        self.clap = model

    def forward(self, batch: ClapBatch, generator: torch.Generator) -> Losses:
        """See `model.contrastive_loss`; all draws were made with the batch."""
        loss = self.clap.loss(batch.mel, batch.lengths, batch.tokens, batch.same)
        return Losses(loss, {"contrast": loss, "scale": self.clap.scale})


class ClapTrainer(LossTrainer):
    """See `trainer.Trainer`."""

    def __init__(self, recipe: ClapRecipe, accelerator: Any):
        super().__init__(recipe.schedule, recipe.folder, accelerator)
        self.recipe = recipe
        text, audio = recipe.model.text, recipe.model.audio
        path = Path(text.tokenizer_path)
        if accelerator.is_main_process:
            for split in ("train", "valid"):
                if not latents_exist(mels_path(recipe.mels, split)):
                    encode_mels(Corpus(recipe.corpus, split), split, recipe.mels, audio)
            if not path.exists():
                captions = Clips(recipe.mels, "train", audio, recipe.on_corrupt).captions()
                train_tokenizer(captions, path, text.n_bins, recipe.corpus)
        accelerator.wait_for_everyone()
        self.tokenizer = load_tokenizer(path, text.tokenizer, text.n_bins)
        self.training, self.valid = (
            Clips(recipe.mels, split, audio, recipe.on_corrupt) for split in ("train", "valid")
        )
        torch.manual_seed(recipe.schedule.seed)  # initial weights: nn.init draws from the global generator
        model = ClapModel(recipe.model)
        if recipe.start_from is not None:
            checkpoint.load_fitting(model, recipe.start_from)
        mean, std = exact_statistics(self.training.mels.values())
        model.audio.mel_mean, model.audio.mel_std = mean, std.clamp(min=1e-2)
        self.hidden = mean
        frames = round(recipe.masked_seconds * audio.sample_rate / audio.hop)
        self.augmentation = Augmentation(recipe.gain_db, recipe.masked_bands, frames)
        self.build(ClapLoss(model), self.training.lengths)

    def batch(self, rows: list[int], generator: torch.Generator) -> ClapBatch:
        """See `LossTrainer`."""
        limit = self.recipe.model.text.max_tokens
        made = self.training.collate(rows, self.tokenizer, limit, self.hidden, self.augmentation, generator)
        return made.to(self.accelerator.device)

    def row_id(self, row: int) -> str:
        """The id of a clip."""
        return self.training.rows[row]["id"]

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, float]:
        """The loss of the averaged model on whole held-out clips with their first captions, and recall both ways."""
        average = self.ema.average
        assert isinstance(average, ClapLoss)
        texts = [tidy(row["captions"][0]) for row in self.valid.rows]
        sounds, captions = self._sounds(average.clap), self._captions(average.clap, texts)
        same, size = same_texts(texts), self.schedule.batch
        whole = range(0, max(1, len(texts) - size + 1), size)  # a last batch that is smaller would be easier
        losses = [
            contrastive_loss(sounds[at : at + size], captions[at : at + size], average.clap.scale.cpu(),
                             same[at : at + size, at : at + size])
            for at in whole
        ]  # fmt: skip
        figures = {"contrast": float(torch.stack(losses).mean())}
        for name, cosines in (("text_to_audio", captions @ sounds.T), ("audio_to_text", sounds @ captions.T)):
            ahead = wrong_ahead(cosines, same)
            figures |= {f"{name}_recall_{at}": float((ahead < at).float().mean()) for at in AT}
        return figures

    def _sounds(self, model: ClapModel) -> Tensor:
        """Embeddings [N, E] of the held-out clips, each the mean of its windows."""
        device = self.accelerator.device
        found = [model.audio.embed_windows(self.valid.mels[row["id"]].float().to(device)) for row in self.valid.rows]
        return torch.stack([mean_direction(windows) for windows in found]).cpu()

    def _captions(self, model: ClapModel, texts: list[str]) -> Tensor:
        """Embeddings [N, E] of captions."""
        tokens = [self.tokenizer.encode(text) for text in texts]
        parts = [
            model.text(model.text.collate(tokens[at : at + 64]).to(self.accelerator.device))
            for at in range(0, len(tokens), 64)
        ]
        return torch.cat(parts).cpu()

    def export(self, step: int) -> None:
        """Write the averaged model as `model.safetensors`."""
        average = self.ema.average
        assert isinstance(average, ClapLoss)
        checkpoint.write_tensors(self.folder / "model.safetensors", average.clap.state_dict(), {"step": str(step)})
