"""Train a model that continues sound, on latents or codes of a trained codec."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import nn

from calm_core.audio_lm import AudioLM, Weights
from calm_core.codecs import RVQCodec
from calm_core.errors import InputError
from calm_core.heads import ConsistencyHead
from calm_core.training import checkpoint
from calm_core.training.data import Corpus
from calm_core.training.latent_shards import latents_exist
from calm_core.training.latents import encode_corpus, load_codec
from calm_core.training.passages import PassageBatch, Passages, prepare_tokenizer
from calm_core.training.recipes import ContinuationRecipe, embeddings_path
from calm_core.training.scale import measure
from calm_core.training.text_start import start_audio_lm
from calm_core.training.trainer import LossTrainer
from calm_core.types import Losses


class ContinuationLoss(nn.Module):
    """A batch to its loss, as one forward for distributed wrappers."""

    def __init__(self, model: AudioLM, weights: Weights):
        super().__init__()
        self.calm, self.weights = model, weights

    def forward(self, batch: PassageBatch, generator: torch.Generator) -> Losses:
        """See `AudioLM.loss`."""
        return self.calm.loss(
            batch.frames, batch.lengths, batch.text, batch.known, clap=batch.clap, clap_known=batch.clap_known,
            generator=generator, weights=self.weights,
        )  # fmt: skip


def parameter_groups(model: AudioLM, recipe: ContinuationRecipe) -> list[dict[str, Any]]:
    """What is trained, for an optimizer: matrices decay, and what began as a text LM may have a rate of its own."""
    s, rate = recipe.schedule, recipe.backbone_learning_rate
    known = () if rate is None else ("backbone.", "text.")
    learned = [(p, name.startswith(known), p.ndim >= 2) for name, p in model.named_parameters() if p.requires_grad]
    groups = (
        {
            "params": [p for p, inside, matrix in learned if (inside, matrix) == (knew, decays)],
            "weight_decay": s.weight_decay * decays,
            "lr": rate if knew else s.learning_rate,
        }
        for knew in (False, True)
        for decays in (True, False)
    )
    return [group for group in groups if group["params"]]


def keep_all_but_the_head(model: AudioLM, taken: set[str], recipe: ContinuationRecipe) -> None:
    """Freeze a model whose head is a teacher's, and let the head learn from what it is now.

    Raises:
        InputError: Of the tensors of the model not all were `taken` from the teacher.
    """
    assert isinstance(model.head, ConsistencyHead)
    own = ("codec.", "head.weight.")
    lacks = [name for name in model.state_dict() if name not in taken and not name.startswith(own)]
    if lacks:
        raise InputError(
            f"{recipe.start_from} lacks {lacks[0]} of this recipe's model; distil_head needs the same sizes."
        )
    model.requires_grad_(False)
    model.head.requires_grad_(True)
    model.head.learn_from_itself()


class ContinuationTrainer(LossTrainer):
    """See `trainer.Trainer`."""

    def __init__(self, recipe: ContinuationRecipe, accelerator: Any):
        super().__init__(recipe.schedule, recipe.folder, accelerator)
        self.recipe = recipe
        torch.manual_seed(recipe.schedule.seed)  # initial weights: nn.init draws from the global generator
        model = AudioLM(recipe.model)
        if recipe.text_lm is not None:
            print(start_audio_lm(model, recipe.text_lm).notice, file=sys.stderr, flush=True)
        taken = set() if recipe.start_from is None else checkpoint.load_fitting(model, recipe.start_from)
        if recipe.distil_head:
            keep_all_but_the_head(model, taken, recipe)
        load_codec(model.codec, recipe.codec)
        tokenizer = None
        if accelerator.is_main_process:
            for split in ("train", "valid", "heldout"):
                path = recipe.latents / f"{split}.safetensors"
                if not latents_exist(path):
                    recipe.latents.mkdir(parents=True, exist_ok=True)
                    codec = model.codec.to(accelerator.device)
                    encode_corpus(codec, Corpus(recipe.corpus, split), path, device=str(accelerator.device))
            if recipe.model.text is not None:
                prepare_tokenizer(recipe.corpus, recipe.model.text)
        accelerator.wait_for_everyone()
        if recipe.model.text is not None:
            tokenizer = prepare_tokenizer(recipe.corpus, recipe.model.text)
        self.training, self.valid = (
            Passages(
                recipe.latents / f"{split}.safetensors", recipe.model.text, tokenizer, model.codec.frame_rate,
                recipe.seconds, recipe.text_dropout, recipe.on_corrupt,
                None if recipe.model.clap is None else embeddings_path(recipe, split), recipe.clap_dropout,
                recipe.without_end, model.codec.levels if isinstance(model.codec, RVQCodec) else None,
            )
            for split in ("train", "valid")
        )  # fmt: skip
        if not model.discrete and not recipe.distil_head:
            # the variance of the noise of the short context is drawn from 0 to short_noise
            measure(model, self.training.latents(), recipe.short_noise / 2)
        weights = Weights(
            recipe.head_batch_multiplier,
            recipe.context_noise,
            recipe.short_noise,
            recipe.drift,
            recipe.text_loss_weight,
            recipe.pad_weight,
            recipe.head_share,
        )
        self.build(ContinuationLoss(model, weights), self.training.lengths, parameter_groups(model, recipe))

    def before_step(self, step: int) -> None:
        """Tell the head how far the training is."""
        assert isinstance(self.model, ContinuationLoss)
        self.model.calm.head.at_step(step, self.schedule.steps)

    def batch(self, rows: list[int], generator: torch.Generator) -> PassageBatch:
        """See `LossTrainer`."""
        return self.training.collate(rows, generator).to(self.accelerator.device)

    def row_id(self, row: int) -> str:
        """The id of a passage."""
        return self.training.rows[row]["id"]

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, float]:
        """The losses of the averaged model on the validation split, with draws that never change."""
        generator = torch.Generator().manual_seed(0)
        batch = self.valid.collate(list(range(min(32, len(self.valid.rows)))), generator).to(self.accelerator.device)
        losses = self.ema.average(batch, generator)
        return {name: float(value) for name, value in losses.parts.items()}

    def export(self, step: int) -> None:
        """Write the averaged model, codec included, as `model.safetensors`."""
        average = self.ema.average
        assert isinstance(average, ContinuationLoss)
        checkpoint.write_tensors(self.folder / "model.safetensors", average.calm.state_dict(), {"step": str(step)})
