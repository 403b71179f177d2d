"""Train a codec, VAE or RVQ: mel, wave or pitch, the bottleneck's loss, a teacher, discriminators that join."""

from pathlib import Path
from typing import Any

import soundfile as sf
import torch
from torch import Tensor, nn

from calm_core.codecs import build_codec
from calm_core.codecs.base import Codec
from calm_core.codecs.discriminators import Discriminators, discriminator_loss, generator_losses
from calm_core.codecs.excitation import hold_unvoiced
from calm_core.codecs.rvq import RVQCodec
from calm_core.codecs.sinusoidal import SinusoidalCodec
from calm_core.codecs.spectral import HIGHEST_PITCH, LOWEST_PITCH, SpectralCodec
from calm_core.codecs.trunk import FrameCodec
from calm_core.errors import InputError
from calm_core.training import checkpoint
from calm_core.training.compiled import compile_layers
from calm_core.training.data import Corpus, Row
from calm_core.training.ema import EMA
from calm_core.training.losses import MultiScaleMel, ToneDistance, kl_to_standard_normal, relative_error
from calm_core.training.optimizers import build_optimizers
from calm_core.training.pitch import corpus_pitch
from calm_core.training.recipes import CodecRecipe
from calm_core.training.schedule import own_rows
from calm_core.training.semantic import SemanticDistance, Teacher, build_teacher
from calm_core.training.trainer import Trainer
from calm_core.weights import read_tensors

# Vectors for each code from which the codebooks begin. A batch of crops has fewer vectors than there are codes.
START_VECTORS = 16
# Of sound from which the linear path of a sinusoidal codec begins.
START_SECONDS = 600.0

# The delayed wave, the predicted log pitch of codecs that have one, and the bottleneck's loss by name.
Pass = tuple[Tensor, Tensor | None, dict[str, Tensor]]


def decoded(codec: FrameCodec, latents: Tensor, pitch: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """What a decoder makes of latents, and the log pitch that it would have taken by itself.

    The true pitch drives the pulses of speech: the sound then teaches the filters alone, the pitch has its own loss.
    """
    if isinstance(codec, SpectralCodec):
        return codec.decoder(latents, pitch=pitch)
    return codec.decoder(latents), None


class _Variational(nn.Module):
    """One differentiable pass, so that a distributed wrapper sees a single forward."""

    def __init__(self, codec: FrameCodec, semantic: SemanticDistance | None, batch: int, mine: slice):
        super().__init__()
        self.codec, self.semantic, self.batch, self.mine = codec, semantic, batch, mine

    def forward(self, wave: Tensor, pitch: Tensor | None, generator: torch.Generator, features: Tensor | None) -> Pass:
        mean, log_variance = self.codec.posterior(wave[:, None])
        # Drawn for the whole batch, so that a row meets the same noise on any number of processes.
        noise = torch.randn(self.batch, *mean.shape[1:], generator=generator)[self.mine].to(mean.device)
        latents = mean + noise * torch.exp(0.5 * log_variance)  # the reparameterised posterior sample
        made, log_pitch = decoded(self.codec, latents, pitch)
        losses = {"kl": kl_to_standard_normal(mean, log_variance)}
        if self.semantic is not None:
            # The sample, not the mean: what lies below the posterior's noise is of no use to a model of latents.
            losses["semantic"] = self.semantic(latents, features)
        return made, log_pitch, losses


class _Quantized(nn.Module):
    """The same pass through codes."""

    def __init__(self, codec: RVQCodec, semantic: SemanticDistance | None, level_dropout: float):
        super().__init__()
        self.codec, self.semantic, self.level_dropout = codec, semantic, level_dropout

    def forward(self, wave: Tensor, pitch: Tensor | None, generator: torch.Generator, features: Tensor | None) -> Pass:
        mean = self.codec.autoencoder.encode(wave[:, None])
        quantized = self.codec.quantizer(mean, generator, self.level_dropout)
        made, log_pitch = decoded(frame_part(self.codec), quantized.latents, pitch)
        losses = {"commitment": quantized.commitment}
        if self.semantic is not None:
            losses["semantic"] = self.semantic(quantized.first, features)
        return made, log_pitch, losses


def frame_part(codec: Codec) -> FrameCodec:
    """The encoder and decoder that train.

    Raises:
        InputError: They are not those of a codec that works on frames.
    """
    inner = codec.autoencoder if isinstance(codec, RVQCodec) else codec
    if not isinstance(inner, FrameCodec):
        raise InputError(
            f"The codec trainer knows no codec of kind '{inner.kind}'; set the autoencoder's to spectral or waveform."
        )
    return inner


def start_from(codec: Codec, path: Path) -> None:
    """Take what fits from `path`; an RVQ codec also takes the encoder and decoder of a VAE codec.

    Raises:
        InputError: See `checkpoint.load_fitting`.
    """
    whole = not isinstance(codec, RVQCodec) or any(name.startswith("autoencoder.") for name in read_tensors(path))
    checkpoint.load_fitting(codec if whole else frame_part(codec), path)


class CodecTrainer(Trainer):
    """See `trainer.Trainer`. The discriminators and the codec take turns on the same batch."""

    def __init__(self, recipe: CodecRecipe, accelerator: Any):
        self.recipe, self.schedule, self.folder = recipe, recipe.schedule, recipe.folder
        self.accelerator = accelerator
        self.mine = own_rows(self.schedule.batch, accelerator)
        torch.manual_seed(recipe.schedule.seed)  # initial weights: nn.init draws from the global generator
        codec = build_codec(recipe.model)
        inner = frame_part(codec)
        inner.encoder.requires_grad_(not recipe.freeze_encoder)
        if recipe.start_from is not None:
            start_from(codec, recipe.start_from)
        discriminators = Discriminators(channels=recipe.discriminator_channels)
        self.length = round(recipe.crop_seconds * codec.sample_rate / codec.frame_size) * codec.frame_size
        self.delay = codec.delay
        self.mel = MultiScaleMel(codec.sample_rate).to(accelerator.device)
        self.tones: ToneDistance | None = None
        if recipe.tone_weight and isinstance(inner, SinusoidalCodec):
            self.tones = ToneDistance(inner.frequencies, codec.sample_rate).to(accelerator.device)
        self.training = Corpus(recipe.corpus, "train")
        self.valid = Corpus(recipe.corpus, "valid")
        self.pitches: dict[str, Tensor] = {}
        if isinstance(inner, SpectralCodec):
            if accelerator.is_main_process:
                corpus_pitch(recipe.corpus)
            accelerator.wait_for_everyone()
            self.pitches = {name: hold_unvoiced_pair(p.float()) for name, p in corpus_pitch(recipe.corpus).items()}
        self.hop = inner.encoder.hop
        self.bottleneck = {"kl": recipe.kl_weight, "commitment": recipe.commitment_weight}
        self.teacher: Teacher | None = None
        semantic = None
        if recipe.semantic is not None:
            self.teacher = build_teacher(recipe.semantic, codec.sample_rate, codec.frame_rate, accelerator.device)
            semantic = SemanticDistance(codec.latent_dim, self.teacher.width)
            self.bottleneck["semantic"] = recipe.semantic.weight
        if isinstance(codec, RVQCodec):
            one_pass: nn.Module = _Quantized(codec, semantic, recipe.level_dropout)
        else:
            one_pass = _Variational(inner, semantic, self.schedule.batch, self.mine)
        s = recipe.schedule
        # One rate of decay for gains and biases too, as the bundled codec was trained.
        group = {"params": [p for p in one_pass.parameters() if p.requires_grad], "weight_decay": s.weight_decay}
        optimizers = {f"codec_{name}": o for name, o in build_optimizers(one_pass, [group], s).items()}
        judging = torch.optim.AdamW(discriminators.parameters(), recipe.discriminator_learning_rate, (0.8, 0.99))
        judging.param_groups[0]["peak_lr"] = recipe.discriminator_learning_rate
        self.ema = EMA(codec.to(accelerator.device), s.ema)
        self.modules = {"codec": codec, "discriminators": discriminators, "ema": self.ema.average}
        if semantic is not None:
            self.modules["semantic"] = semantic
        self.optimizers = {**optimizers, "discriminator_optimizer": judging}
        if s.compile:
            compile_layers(codec)
        self.autoencode, self.discriminators, self.discriminator_optimizer, *self.codec_optimizers = (
            accelerator.prepare(one_pass, discriminators, judging, *optimizers.values())
        )
        self.codec = codec

    def step(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """One step of the discriminators (once they have joined) and one of the codec."""
        recipe, accelerator = self.recipe, self.accelerator
        wave, origins = self.training.crops(self.schedule.batch, self.length, self.hop, generator)
        wave, origins = wave[self.mine], origins[self.mine]
        self.seen = [row.id for row, _ in origins]
        features = None if self.teacher is None else self.teacher.features(wave, origins).to(accelerator.device)
        wave = wave.to(accelerator.device)
        pitch = voiced = None
        if self.pitches:
            pitch, voiced = self.pitch_of(origins)
        if isinstance(self.codec, RVQCodec) and not self.codec.quantizer.started:
            self.start_codebooks(self.codec, generator)
        if isinstance(self.codec, SinusoidalCodec) and step == 0 and recipe.start_from is None:
            self.codec.start(self.many_crops(START_SECONDS, generator).to(accelerator.device))
        with accelerator.autocast():
            delayed, log_pitch, bottleneck = self.autoencode(wave, pitch, generator, features)
        # The decoder runs `delay` samples late; its run-in is not judged.
        made, target = delayed[:, self.delay :], wave[:, : wave.shape[1] - self.delay]
        parts = {"mel": self.mel(made, target), **bottleneck}
        total = recipe.mel_weight * parts["mel"]
        total = total + sum(self.bottleneck[name] * loss for name, loss in bottleneck.items())
        if pitch is not None and voiced is not None and log_pitch is not None:
            # Divided by the mean count over processes, so that their mean is that of the whole batch.
            voices = accelerator.reduce(voiced.sum(), "mean").clamp(min=1)
            parts["pitch"] = ((log_pitch - pitch.log()).abs() * voiced).sum() / voices
            total = total + recipe.pitch_weight * parts["pitch"]
        if self.tones is not None:
            parts["tones"] = self.tones(made, target)
            total = total + recipe.tone_weight * parts["tones"]
        if recipe.wave_weight:
            parts["wave"] = relative_error(made, target)
            total = total + recipe.wave_weight * parts["wave"]
        if recipe.adversarial_from is not None and step >= recipe.adversarial_from:
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
        for optimizer in self.codec_optimizers:
            optimizer.zero_grad()
        accelerator.backward(total)
        parts["gradient"] = accelerator.clip_grad_norm_(self.autoencode.parameters(), self.schedule.clip)
        for optimizer in self.codec_optimizers:
            optimizer.step()
        self.ema.update(self.codec, step)
        if isinstance(self.codec, RVQCodec):
            parts["perplexity"] = self.codec.quantizer.perplexity().mean()
        return {name: value.detach() for name, value in parts.items()}

    def batch_ids(self) -> list[str]:
        """See `trainer.Trainer`."""
        return self.seen

    @torch.no_grad()
    def start_codebooks(self, codec: RVQCodec, generator: torch.Generator) -> None:
        """Begin the codebooks at clusters of many more crops than a step has."""
        accelerator = self.accelerator
        frames = self.length // codec.frame_size
        latents = []
        for _ in range(0, -(-START_VECTORS * codec.codebook_size // frames), self.schedule.batch):
            wave, _ = self.training.crops(self.schedule.batch, self.length, self.hop, generator)
            with accelerator.autocast():
                latents.append(codec.autoencoder.encode(wave[self.mine, None].to(accelerator.device)))
        codec.quantizer.start(torch.cat(latents), generator)

    def many_crops(self, seconds: float, generator: torch.Generator) -> Tensor:
        """Waves `[B, N]`, the same on every process, of at least so many seconds together."""
        count = -(-round(seconds * self.codec.sample_rate) // self.length)
        return self.training.crops(count, self.length, self.hop, generator)[0]

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
        """Mel distance of the averaged codec on held-out sound, that of the wave, and four listening samples."""
        codec: Codec = self.ema.average  # type: ignore[assignment]
        distances, waves, tones = [], [], []
        for index, row in enumerate(self.valid.rows[:: max(1, len(self.valid.rows) // 16)][:16]):
            wave = self.valid.audio(row).to(self.accelerator.device)[None]
            made = codec.reconstruct(wave[:, None])[:, 0]
            distances.append(float(self.mel(made, wave)))
            waves.append(float(relative_error(made, wave)))
            if self.tones is not None:
                tones.append(float(self.tones(made, wave)))
            if index % 4 == 0:
                write_sample(self.folder / "samples" / f"{step:07d}-{row.id}.flac", made[0], codec.sample_rate)
        figures = {"mel": sum(distances) / len(distances)}
        if tones:
            figures["tones"] = sum(tones) / len(tones)
        return {**figures, "wave": sum(waves) / len(waves)} if self.recipe.wave_weight else figures

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
