"""Train the spectral VAE codec: multi-scale mel, KL, and light discriminators that join later."""

from pathlib import Path
from typing import Any

import soundfile as sf
import torch
from torch import Tensor, nn

from calm_core.codecs.base import Codec
from calm_core.codecs.discriminators import Discriminators, discriminator_loss, generator_losses
from calm_core.codecs.excitation import hold_unvoiced
from calm_core.codecs.spectral import HIGHEST_PITCH, LOWEST_PITCH, SpectralCodec
from calm_core.training import checkpoint
from calm_core.training.data import Corpus, Row
from calm_core.training.ema import EMA
from calm_core.training.losses import MultiScaleMel, kl_to_standard_normal
from calm_core.training.pitch import corpus_pitch
from calm_core.training.recipes import CodecRecipe
from calm_core.training.schedule import own_rows
from calm_core.training.trainer import Trainer


class _Autoencode(nn.Module):
    """One differentiable pass, so that a distributed wrapper sees a single forward."""

    def __init__(self, codec: SpectralCodec):
        super().__init__()
        self.codec = codec

    def forward(self, wave: Tensor, noise: Tensor, pitch: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean, log_variance = self.codec.posterior(wave[:, None])
        latents = mean + noise * torch.exp(0.5 * log_variance)  # the reparameterised posterior sample
        # The true pitch drives the pulses: the sound then teaches the filters alone, and the pitch has its own loss.
        made, log_pitch = self.codec.decoder(latents, pitch=pitch)
        return made, log_pitch, mean, log_variance


class CodecTrainer(Trainer):
    """See `trainer.Trainer`. The discriminators and the codec take turns on the same batch."""

    def __init__(self, recipe: CodecRecipe, accelerator: Any):
        self.recipe, self.schedule, self.folder = recipe, recipe.schedule, recipe.folder
        self.accelerator = accelerator
        torch.manual_seed(recipe.schedule.seed)  # initial weights: nn.init draws from the global generator
        codec = SpectralCodec(recipe.model)
        if recipe.start_from is not None:
            checkpoint.load_fitting(codec, recipe.start_from)
        codec.encoder.requires_grad_(not recipe.freeze_encoder)
        discriminators = Discriminators(channels=recipe.discriminator_channels)
        self.length = round(recipe.crop_seconds * codec.sample_rate / codec.frame_size) * codec.frame_size
        self.frames = self.length // codec.frame_size
        self.delay = codec.delay
        self.mel = MultiScaleMel(codec.sample_rate).to(accelerator.device)
        self.training = Corpus(recipe.corpus, "train")
        self.valid = Corpus(recipe.corpus, "valid")
        if accelerator.is_main_process:
            corpus_pitch(recipe.corpus)
        accelerator.wait_for_everyone()
        self.pitches = {name: hold_unvoiced_pair(p.float()) for name, p in corpus_pitch(recipe.corpus).items()}
        self.hop = recipe.model.hop
        s = recipe.schedule
        optimizers: dict[str, torch.optim.Optimizer] = {
            "codec_optimizer": torch.optim.AdamW(
                [p for p in codec.parameters() if p.requires_grad],
                s.learning_rate,
                s.betas,
                weight_decay=s.weight_decay,
            ),
            "discriminator_optimizer": torch.optim.AdamW(
                discriminators.parameters(), recipe.discriminator_learning_rate, (0.8, 0.99)
            ),
        }
        optimizers["codec_optimizer"].param_groups[0]["peak_lr"] = s.learning_rate
        optimizers["discriminator_optimizer"].param_groups[0]["peak_lr"] = recipe.discriminator_learning_rate
        self.ema = EMA(codec.to(accelerator.device), s.ema)
        self.modules = {"codec": codec, "discriminators": discriminators, "ema": self.ema.average}
        self.optimizers = optimizers
        self.autoencode, self.discriminators, self.codec_optimizer, self.discriminator_optimizer = accelerator.prepare(
            _Autoencode(codec), discriminators, *optimizers.values()
        )
        self.codec = codec

    def step(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """One step of the discriminators (once they have joined) and one of the codec."""
        recipe, accelerator = self.recipe, self.accelerator
        count, mine = self.schedule.batch, own_rows(self.schedule.batch, accelerator)
        wave, origins = self.training.crops(count, self.length, self.hop, generator)
        wave, origins = wave[mine], origins[mine]
        self.seen = [row.id for row, _ in origins]
        wave, (pitch, voiced) = wave.to(accelerator.device), self.pitch_of(origins)
        noise = torch.randn(count, self.frames, self.codec.latent_dim, generator=generator)[mine].to(accelerator.device)
        with accelerator.autocast():
            delayed, log_pitch, mean, log_variance = self.autoencode(wave, noise, pitch)
        # The decoder runs `delay` samples late; its run-in is not judged.
        made, target = delayed[:, self.delay :], wave[:, : wave.shape[1] - self.delay]
        parts = {
            "mel": self.mel(made, target),
            "kl": kl_to_standard_normal(mean, log_variance),
            # Divided by the mean count over processes, so that their mean is that of the whole batch.
            "pitch": ((log_pitch - pitch.log()).abs() * voiced).sum()
            / accelerator.reduce(voiced.sum(), "mean").clamp(min=1),
        }
        total = recipe.mel_weight * parts["mel"] + recipe.kl_weight * parts["kl"] + recipe.pitch_weight * parts["pitch"]
        if step >= recipe.adversarial_from:
            with accelerator.autocast():
                real = self.discriminators(target)
                judged = discriminator_loss(real, self.discriminators(made.detach()))
            self.discriminator_optimizer.zero_grad()
            accelerator.backward(judged)
            accelerator.clip_grad_norm_(self.discriminators.parameters(), self.schedule.clip)
            self.discriminator_optimizer.step()
            with accelerator.autocast():
                adversarial, features = generator_losses(self.discriminators(target), self.discriminators(made))
            parts |= {"discriminator": judged.detach(), "adversarial": adversarial, "features": features}
            total = total + recipe.adversarial_weight * adversarial + recipe.feature_weight * features
        self.codec_optimizer.zero_grad()
        accelerator.backward(total)
        parts["gradient"] = accelerator.clip_grad_norm_(self.autoencode.parameters(), self.schedule.clip)
        self.codec_optimizer.step()
        self.ema.update(self.codec, step)
        return {name: value.detach() for name, value in parts.items()}

    def batch_ids(self) -> list[str]:
        """See `trainer.Trainer`."""
        return self.seen

    def pitch_of(self, origins: list[tuple[Row, int]]) -> tuple[Tensor, Tensor]:
        """Pitch in Hz and voicing (0 or 1) of every hop of the decoder's output, each `[B, F]`.

        Output runs `delay` samples late, and a hop's pitch is the one reached at its end: hop t of a piece that begins
        at sample s hears the pitch at s + (t + 1) hop - delay.
        """
        hops, late = self.length // self.hop, self.delay // self.hop - 1
        rows = []
        for row, start in origins:
            values = self.pitches[row.id]
            index = (torch.arange(hops) + start // self.hop - late).clamp(0, values.shape[1] - 1)
            rows.append(values[:, index])
        pitch, voiced = torch.stack(rows, dim=1).to(self.accelerator.device)
        return pitch, voiced

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, float]:
        """Mel distance of the averaged codec on held-out texts, and four listening samples."""
        codec: Codec = self.ema.average  # type: ignore[assignment]
        distances = []
        for index, row in enumerate(self.valid.rows[:: max(1, len(self.valid.rows) // 16)][:16]):
            wave = self.valid.audio(row).to(self.accelerator.device)[None]
            made = codec.reconstruct(wave[:, None])[:, 0]
            distances.append(float(self.mel(made, wave)))
            if index % 4 == 0:
                write_sample(self.folder / "samples" / f"{step:07d}-{row.id}.flac", made[0], codec.sample_rate)
        return {"mel": sum(distances) / len(distances)}

    def export(self, step: int) -> None:
        """Write the averaged codec as `codec.safetensors`."""
        checkpoint.write_tensors(self.folder / "codec.safetensors", self.ema.average.state_dict(), {"step": str(step)})


def write_sample(path: Path, samples: Tensor, sample_rate: int) -> None:
    """Write samples `[T]` for listening."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, samples.float().clamp(-1, 1).cpu().numpy(), sample_rate)


def hold_unvoiced_pair(pitch: Tensor) -> Tensor:
    """`[2, F]`: pitch with its unvoiced stretches bridged, and 1 where it was voiced."""
    return torch.stack([hold_unvoiced(pitch).clamp(LOWEST_PITCH, HIGHEST_PITCH), (pitch > 0).float()])
