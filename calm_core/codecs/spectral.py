"""A causal, streaming VAE codec that works on spectrogram frames instead of samples.

    wave -> STFT frames (100 Hz) -> ConvNeXt -> /2 -> ConvNeXt -> /4 -> Transformer -> mean, log-variance (12.5 Hz)
    latents (12.5 Hz) -> Transformer -> x4 -> ConvNeXt -> x2 -> ConvNeXt -> magnitude, phase (100 Hz) -> iSTFT -> wave

The Mimi VAE of CALM convolves at the sample rate; a spectral front and an inverse-STFT head (as in Vocos, Siuzdak
2023) do the work of its outer layers with a matrix product, which trains several times faster without a GPU.
ConvNeXt blocks: Liu et al. 2022, made causal.

Timing. Analysis frame t ends with sample (t + 1) hop and so does synthesis frame t. A synthesised sample is complete
when every frame that covers it is known, so the decoder's output comes `delay = n_fft - hop` samples late:

    latent i has heard samples up to 1920 (i + 1);  decode(latents[: i + 1]) ends with sample 1920 (i + 1) - delay.

Shapes: B rows, S samples, T latent frames, D latent dimensions; inside, features are [B, time, channels].
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from calm_core.nn.transformer import Transformer
from calm_core.state import State


def causal_window(x: Tensor, length: int, state: State | None, name: str) -> Tensor:
    """`x [B, T, C]` with `length` steps of its past in front: zeros at first, then what the state kept."""
    if length == 0:
        return x
    if state is None:
        return F.pad(x, (0, 0, length, 0))
    past = state.get(name)
    whole = F.pad(x, (0, 0, length, 0)) if past is None else torch.cat([past, x], dim=1)
    state[name] = whole[:, -length:].detach().clone()
    return whole


class CausalDepthwise(nn.Module):
    """Depthwise causal convolution over time, `[B, T, C] -> [B, T, C]`."""

    def __init__(self, channels: int, kernel: int):
        super().__init__()
        self.kernel = kernel
        self.weight = nn.Parameter(torch.empty(kernel, channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        nn.init.trunc_normal_(self.weight, std=0.1)

    def forward(self, x: Tensor, state: State | None, name: str) -> Tensor:
        """Convolve; `state` carries the last `kernel - 1` steps under `name`."""
        steps = x.shape[1]
        past = causal_window(x, self.kernel - 1, state, name)
        out = torch.addcmul(self.bias, past[:, :steps], self.weight[0])
        for k in range(1, self.kernel):  # a handful of multiply-adds beats the generic grouped kernel on a CPU
            out = torch.addcmul(out, past[:, k : k + steps], self.weight[k])
        return out


class ConvNeXtBlock(nn.Module):
    """Depthwise causal convolution, LayerNorm, two-layer GELU MLP, per-channel gain, residual."""

    def __init__(self, channels: int, expansion: int, kernel: int):
        super().__init__()
        self.depthwise = CausalDepthwise(channels, kernel)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand = nn.Linear(channels, expansion * channels)
        self.contract = nn.Linear(expansion * channels, channels)
        self.gain = nn.Parameter(torch.full((channels,), 0.2))

    def forward(self, x: Tensor, state: State | None, name: str) -> Tensor:
        """`[B, T, C] -> [B, T, C]`."""
        hidden = self.expand(self.norm(self.depthwise(x, state, name)))
        return x + self.gain * self.contract(F.gelu(hidden, approximate="tanh"))


class Stack(nn.Module):
    """ConvNeXt blocks at one frame rate."""

    def __init__(self, channels: int, depth: int, expansion: int, kernel: int):
        super().__init__()
        self.blocks = nn.ModuleList(ConvNeXtBlock(channels, expansion, kernel) for _ in range(depth))

    def forward(self, x: Tensor, state: State | None, name: str) -> Tensor:
        """`[B, T, C] -> [B, T, C]`."""
        for index, block in enumerate(self.blocks):
            x = block(x, state, f"{name}.{index}")
        return x


class SpectralEncoder(nn.Module):
    """STFT frames to latents. See the module's drawing for the shapes."""

    def __init__(
        self, n_fft: int, hop: int, strides: tuple[int, int], widths: tuple[int, int, int], depths: tuple[int, int, int],
        heads: int, feedforward: int, context: int, expansion: int, kernel: int, latent_dim: int,
    ):  # fmt: skip
        super().__init__()
        self.n_fft, self.hop, self.strides = n_fft, hop, strides
        bins = n_fft // 2 + 1
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        self.input = nn.Linear(2 * bins, widths[0])
        self.fine = Stack(widths[0], depths[0], expansion, kernel)
        self.down_fine = nn.Linear(strides[0] * widths[0], widths[1])
        self.middle = Stack(widths[1], depths[1], expansion, kernel)
        self.down_middle = nn.Linear(strides[1] * widths[1], widths[2])
        self.transformer = Transformer(
            widths[2], heads, depths[2], feedforward, context=context, layer_scale=0.1
        )
        self.norm = nn.LayerNorm(widths[2])
        self.output = nn.Linear(widths[2], 2 * latent_dim)

    def init_state(self, batch_size: int = 1) -> State:
        """State of a new stream."""
        return {"transformer": self.transformer.init_state(batch_size)}

    def features(self, wave: Tensor, state: State | None) -> Tensor:
        """`wave [B, S]` to compressed complex frames `[B, S / hop, 2 bins]`; `|X|^0.3` keeps quiet parts visible."""
        with torch.autocast(wave.device.type, enabled=False):
            past = causal_window(wave.float().unsqueeze(-1), self.n_fft - self.hop, state, "wave").squeeze(-1)
            spectrum = torch.fft.rfft(past.unfold(1, self.n_fft, self.hop) * self.window)
            real, imaginary = spectrum.real, spectrum.imag
            shrink = (real.square() + imaginary.square() + 1e-6).pow(-0.35)
            return torch.cat([real * shrink, imaginary * shrink], dim=-1)

    def forward(self, wave: Tensor, state: State | None = None) -> tuple[Tensor, Tensor]:
        """`wave [B, S]`, S a multiple of 1920, to the posterior's mean and log-variance, each `[B, T, D]`."""
        x = self.fine(self.input(self.features(wave, state)), state, "fine")
        x = self.down_fine(x.unflatten(1, (-1, self.strides[0])).flatten(2))
        x = self.middle(x, state, "middle")
        x = self.down_middle(x.unflatten(1, (-1, self.strides[1])).flatten(2))
        x = self.transformer(x, None if state is None else state["transformer"])
        mean, log_variance = self.output(self.norm(x)).float().chunk(2, dim=-1)
        return mean, log_variance.clamp(-10.0, 4.0)


class SpectralDecoder(nn.Module):
    """Latents to waveform through an inverse STFT. See the module's drawing for the shapes."""

    def __init__(
        self, n_fft: int, hop: int, strides: tuple[int, int], widths: tuple[int, int, int], depths: tuple[int, int, int],
        heads: int, feedforward: int, context: int, expansion: int, kernel: int, latent_dim: int,
    ):  # fmt: skip
        super().__init__()
        self.n_fft, self.hop, self.strides = n_fft, hop, strides
        bins = n_fft // 2 + 1
        window = torch.hann_window(n_fft)
        self.register_buffer("window", window / (window.square().sum() / hop), persistent=False)
        self.input = nn.Linear(latent_dim, widths[2])
        self.transformer = Transformer(
            widths[2], heads, depths[2], feedforward, context=context, layer_scale=0.1
        )
        self.up_middle = nn.Linear(widths[2], strides[1] * widths[1])
        self.middle = Stack(widths[1], depths[1], expansion, kernel)
        self.up_fine = nn.Linear(widths[1], strides[0] * widths[0])
        self.fine = Stack(widths[0], depths[0], expansion, kernel)
        self.norm = nn.LayerNorm(widths[0])
        self.output = nn.Linear(widths[0], 3 * bins)

    def init_state(self, batch_size: int = 1) -> State:
        """State of a new stream."""
        return {"transformer": self.transformer.init_state(batch_size)}

    def forward(self, latents: Tensor, state: State | None = None) -> Tensor:
        """`latents [B, T, D]` to `[B, 1920 T]` samples, `delay` samples late."""
        x = self.transformer(self.input(latents), None if state is None else state["transformer"])
        x = self.middle(self.up_middle(x).unflatten(-1, (self.strides[1], -1)).flatten(1, 2), state, "middle")
        x = self.fine(self.up_fine(x).unflatten(-1, (self.strides[0], -1)).flatten(1, 2), state, "fine")
        x = self.output(self.norm(x))
        with torch.autocast(x.device.type, enabled=False):
            level, real, imaginary = x.float().chunk(3, dim=-1)
            direction = torch.rsqrt(real.square() + imaginary.square() + 1e-6)
            magnitude = torch.exp(level.clamp(max=6.0)) * direction
            frames = torch.fft.irfft(torch.complex(magnitude * real, magnitude * imaginary)) * self.window
            return self.overlap_add(frames, state)

    def overlap_add(self, frames: Tensor, state: State | None) -> Tensor:
        """`frames [B, N, n_fft]` summed at every hop: the N hops that end with the start of the last frame's last hop.

        The result begins with the sample at which the first frame begins; the `n_fft - hop` samples that later frames
        will still add to are kept in the state.
        """
        batch, count, _ = frames.shape
        overlap = self.n_fft // self.hop
        parts = frames.unflatten(-1, (overlap, self.hop))  # [B, N, overlap, hop]: part k of frame t lands on hop t + k
        total = frames.new_zeros(batch, count + overlap - 1, self.hop)
        for k in range(overlap):
            total[:, k : k + count] += parts[:, :, k]
        if state is not None:
            if "tail" in state:
                total[:, : overlap - 1] += state["tail"]
            state["tail"] = total[:, count:].detach().clone()
        return total[:, :count].flatten(1)


class SpectralVAE(nn.Module):
    """Encoder and decoder of the bundled speech codec.

    Args:
        sample_rate: Samples a second.
        n_fft: STFT window in samples.
        hop: STFT hop in samples.
        strides: Reductions of the frame rate, outer first; 100 Hz / 2 / 4 = 12.5 Hz.
        latent_dim: D.
        encoder_widths, decoder_widths: Channels at the three frame rates, fastest first.
        encoder_depths, decoder_depths: ConvNeXt blocks at the first two, Transformer layers at the last.
        heads, feedforward, context: Of the Transformers; the context is in latent frames.
        expansion, kernel: Of the ConvNeXt blocks.
    """

    def __init__(
        self,
        sample_rate: int = 24_000,
        n_fft: int = 960,
        hop: int = 240,
        strides: tuple[int, int] = (2, 4),
        latent_dim: int = 32,
        encoder_widths: tuple[int, int, int] = (192, 224, 256),
        decoder_widths: tuple[int, int, int] = (224, 224, 256),
        encoder_depths: tuple[int, int, int] = (2, 2, 1),
        decoder_depths: tuple[int, int, int] = (4, 3, 2),
        heads: int = 4,
        feedforward: int = 512,
        context: int = 25,
        expansion: int = 2,
        kernel: int = 7,
    ):
        super().__init__()
        assert n_fft % hop == 0
        self.sample_rate, self.latent_dim = sample_rate, latent_dim
        self.frame_size = hop * strides[0] * strides[1]
        self.frame_rate = sample_rate / self.frame_size
        self.delay = n_fft - hop
        shared = (heads, feedforward, context, expansion, kernel, latent_dim)
        self.encoder = SpectralEncoder(n_fft, hop, strides, encoder_widths, encoder_depths, *shared)
        self.decoder = SpectralDecoder(n_fft, hop, strides, decoder_widths, decoder_depths, *shared)

    def encode(self, wave: Tensor, state: State | None = None) -> tuple[Tensor, Tensor]:
        """Mean and log-variance `[B, T, D]` of `wave [B, S]`; S is padded with zeros to whole latent frames."""
        return self.encoder(F.pad(wave, (0, -wave.shape[-1] % self.frame_size)), state)

    def decode(self, latents: Tensor, state: State | None = None) -> Tensor:
        """`latents [B, T, D]` to `[B, frame_size T]` samples, the first `delay` of a stream being run-in."""
        return self.decoder(latents, state)

    def reconstruct(self, wave: Tensor) -> Tensor:
        """`wave [B, S]` through the mean latents and back, aligned and of the same length."""
        padded = F.pad(wave, (0, self.delay))
        return self.decode(self.encode(padded)[0])[:, self.delay : self.delay + wave.shape[-1]]
