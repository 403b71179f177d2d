"""Latent distillation (CALM section 4.7): a smaller backbone learns the guided conditions of a finished model.

    teacher   text and voice -> Zc      without text -> Z0      Z = Z0 + a (Zc - Z0)
                                                                 |  mean squared error
    student   text and voice -> fewer layers ----------------->  Z -> the teacher's head, as it is

Guidance is then in the student's weights, and a frame costs one row in place of two.

Shapes: B rows, T frames, N phones, D latent width, Z condition width.
"""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from calm_core.backbone import guide
from calm_core.conditioners.aligned import AlignedText
from calm_core.config import TTSModelConfig
from calm_core.errors import InputError
from calm_core.model import CALM
from calm_core.training.latents import TTSBatch
from calm_core.training.recipes import DistillationRecipe
from calm_core.training.tts import CALMLoss, TTSTrainer, duration_error, open_tokenizer, tell, valid_steps
from calm_core.types import Losses
from calm_core.weights import load_into, read_tensors, to_ours

_LAYER = "backbone.transformer.layers."


def copied_layers(teacher: int, student: int) -> list[int]:
    """Which of the teacher's layers those of a student begin as: the bottom half and the top half of its own number.

    Of 24 layers, a student of 6 takes 0, 1, 2, 21, 22, 23; one more at the bottom when its number is odd.
    """
    top = student // 2
    return [*range(student - top), *range(teacher - top, teacher)]


def read_teacher(path: Path, model: TTSModelConfig, codec: Path) -> CALM:
    """The teacher, frozen; it has the sizes of `model` but the number of layers that the file holds.

    Args:
        path: `model.safetensors` of a run or of a bundled model.
        model: The student.
        codec: Weights of the codec, which bundled models keep in a file of their own.

    Raises:
        InputError: A file is missing or damaged, the sizes differ, or the teacher has fewer layers than the student.
    """
    tensors = {name: t for name, t in to_ours(read_tensors(path)).items() if not name.startswith("codec.")}
    tensors |= {f"codec.{name}": t for name, t in read_tensors(codec).items()}
    found = [re.match(rf"{re.escape(_LAYER)}(\d+)\.", name) for name in tensors]
    layers = len({number.group(1) for number in found if number})
    if layers < model.backbone.num_layers:
        raise InputError(
            f"The teacher {path} has {layers} layers and the student {model.backbone.num_layers}; "
            "model.backbone.num_layers may be at most the teacher's."
        )
    backbone = model.backbone.model_copy(update={"num_layers": layers})
    config = model.model_copy(update={"backbone": backbone})
    teacher = load_into(lambda: CALM(config), tensors, str(path))
    assert isinstance(teacher, CALM)
    open_tokenizer(teacher)
    return teacher


def make_student(teacher: CALM, config: TTSModelConfig) -> CALM:
    """A student that begins as its teacher without the layers in the middle; see `freeze`."""
    student = CALM(config)
    student.drop_training_parts()
    start = {name: tensor for name, tensor in teacher.state_dict().items() if not name.startswith(_LAYER)}
    copied = copied_layers(len(teacher.backbone.transformer.layers), config.backbone.num_layers)
    for mine, theirs in enumerate(copied):
        layer = teacher.backbone.transformer.layers[theirs].state_dict()
        start |= {f"{_LAYER}{mine}.{name}": tensor for name, tensor in layer.items()}
    student.load_state_dict(start)
    freeze(student)
    return student


def freeze(student: CALM) -> None:
    """Hold what keeps the teacher's weights.

    That is the head and the end-of-speech layer, since they read what the student imitates; the codec; and the vectors
    of left-out conditions, which nobody will ask a student for.
    """
    student.codec.requires_grad_(False)
    student.head.requires_grad_(False)
    student.backbone.out_eos.requires_grad_(False)
    if isinstance(student.text, AlignedText):
        student.text.no_text.requires_grad_(False)
        student.text.no_voice.requires_grad_(False)


@dataclass(frozen=True)
class Lesson:
    """A batch and what the teacher makes of it.

    Attributes:
        batch: B rows.
        heard: `[B, T, D]`, normalised latents as both models hear them.
        z: `[B, T + 1, Z]`, guided conditions; the last one is that of the end.
        log_durations: `[B, N]`, the teacher's; of aligned text only.
    """

    batch: TTSBatch
    heard: Tensor
    z: Tensor
    log_durations: Tensor | None = None


@torch.no_grad()
def teach(
    teacher: CALM,
    batch: TTSBatch,
    cfg: float,
    cfg_on: Literal["text", "text_and_voice"],
    history_noise: float = 0.0,
    generator: torch.Generator | None = None,
) -> Lesson:
    """The teacher's guided conditions while it hears the true frames.

    Args:
        teacher: Frozen.
        batch: B rows on its device.
        cfg: Guidance a; 1 needs only one pass.
        cfg_on: What the rows of Z0 are not told; see `SamplingConfig`.
        history_noise: Largest share of noise in what is heard, see `CALM.loss`.
        generator: Source of the noise.
    """
    heard = teacher.noised(teacher.normalise(batch.latents.float()), history_noise, generator)
    told = tell(teacher, batch)
    z = teacher.conditions(heard, told.prefixes, told.frames)
    if cfg != 1:
        every = torch.ones(len(batch.texts), dtype=torch.bool, device=heard.device)
        null = tell(teacher, batch, every if cfg_on == "text_and_voice" else ~every, every)
        z = guide(z, teacher.conditions(heard, null.prefixes, null.frames), cfg)
    durations = None
    if told.encoded is not None:
        assert isinstance(teacher.text, AlignedText)
        durations = teacher.text.log_durations(told.encoded, batch.phones)
    return Lesson(batch, heard, z, durations)


class DistillationLoss(CALMLoss):
    """The distance of a student's conditions from its teacher's.

    Args:
        calm: The student.
        duration_weight: Of the durations.
    """

    def __init__(self, calm: CALM, duration_weight: float):
        super().__init__(calm)
        self.duration_weight = duration_weight

    def forward(self, lesson: Lesson, generator: torch.Generator, training: bool = True) -> Losses:
        """Mean squared error of the conditions, plus that of the durations where the text is aligned.

        Nothing is drawn, and training and evaluation are the same; the arguments are those of every loss.

        Returns:
            The weighted sum. Parts: `distillation`, `unexplained` (the same as a share of the variance of the teacher's
            conditions) and, with aligned text, `duration`.
        """
        batch, calm = lesson.batch, self.calm
        told = tell(calm, batch)
        z = calm.conditions(lesson.heard, told.prefixes, told.frames)
        # Aligned text knows where it ends: nobody reads its condition behind the last frame.
        judged = valid_steps(batch.frames + (told.frames is None), z.shape[1])
        wanted = lesson.z[judged]
        error = (z[judged] - wanted).square().mean()
        variance = wanted.var(dim=0, unbiased=False).mean()
        parts = {"distillation": error.detach(), "unexplained": (error / variance).detach()}
        if told.encoded is None or lesson.log_durations is None:
            return Losses(error, parts)
        duration = duration_error(calm, told.encoded, batch.phones, lesson.log_durations)
        return Losses(error + self.duration_weight * duration, {**parts, "duration": duration.detach()})


class DistillationTrainer(TTSTrainer):
    """See `loop.Trainer`. The exported model is the student, codec included, which needs no guidance."""

    def make_model(self) -> CALM:
        """The student; the teacher stays with the trainer, outside of what is averaged and saved."""
        recipe = self.recipe
        assert isinstance(recipe, DistillationRecipe)
        self.teacher = read_teacher(recipe.teacher, recipe.model, recipe.codec)
        student = make_student(self.teacher, recipe.model)
        self.teacher.to(self.accelerator.device)
        return student

    def make_loss(self, calm: CALM) -> CALMLoss:
        """The distance from the teacher. Latents are normalised as the teacher's are, since its head stays."""
        assert isinstance(self.recipe, DistillationRecipe)
        return DistillationLoss(calm, self.recipe.duration_weight)

    def prepared(self, batch: TTSBatch, generator: torch.Generator, training: bool) -> Lesson:
        """The batch with what the teacher makes of it, in the arithmetic in which the student will be judged."""
        recipe = self.recipe
        assert isinstance(recipe, DistillationRecipe)
        noise = recipe.history_noise * training
        with self.accelerator.autocast() if training else nullcontext():
            return teach(self.teacher, batch, recipe.cfg, recipe.cfg_on, noise, generator)
