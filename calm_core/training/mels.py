"""Log-mel bands of a corpus, computed once: a tower that trains on one core would else spend its time on spectra.

Files are those of latents (see `latent_shards`) under the name `mels-SPLIT`, row id -> [T, F] float16. The index says
what the bands were made with, the JSON beside a shard has the captions of each row.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from calm_core.audio import resample
from calm_core.clap.base import tidy
from calm_core.clap.model import build_log_mel
from calm_core.conditioners.tokenizer import LoadedTokenizer
from calm_core.config import ClapAudioConfig
from calm_core.errors import InputError
from calm_core.nn.mel import FLOOR
from calm_core.training.data import Corpus
from calm_core.training.faults import OnCorrupt
from calm_core.training.latent_shards import ShardWriter, index_path, open_latents, read_index, write_index

# What the bands depend on.
_MADE_WITH = ("sample_rate", "n_fft", "hop", "mels")


def mels_path(folder: Path, split: str) -> Path:
    """The name under which `open_latents` finds the bands of a split."""
    return folder / f"mels-{split}.safetensors"


@torch.inference_mode()
def encode_mels(corpus: Corpus, split: str, folder: Path, config: ClapAudioConfig) -> None:
    """Write the bands of every row of a corpus; a run that was killed goes on behind the shards that it has finished.

    Rows without a caption are left out, with a count on stderr: real music has some.

    Raises:
        InputError: No row has a caption.
    """
    writer, log_mel = ShardWriter(folder, f"mels-{split}", rows_a_shard=500), build_log_mel(config)
    before, shard = set(writer.done), ""
    said = {row.id: [text for text in row.captions or [row.text] if text.strip()] for row in corpus.rows}
    captioned = [row for row in corpus.rows if said[row.id]]
    if not captioned:
        raise InputError(f"No row of the split {split!r} of {corpus.folder} has a caption, which CLAP learns from.")
    if len(captioned) < len(corpus.rows):
        print(f"{len(corpus.rows) - len(captioned)} rows of {split} have no caption and are left out", file=sys.stderr)
    for number, row in enumerate(captioned):
        if row.id in before:
            continue
        if row.shard != shard:
            corpus.release()
            shard = row.shard
        wave = resample(corpus.audio(row), corpus.sample_rate, config.sample_rate)
        writer.add({"id": row.id, "captions": said[row.id]}, log_mel(wave[None])[0])
        if number % 200 == 0:
            print(f"mel bands {number}/{len(captioned)}", file=sys.stderr, flush=True)
    writer.flush()
    corpus.release()
    write_index(folder, f"mels-{split}", {name: getattr(config, name) for name in _MADE_WITH})


@dataclass(frozen=True)
class ClapBatch:
    """B windows of different rows, each with one of its captions.

    Attributes:
        mel: [B, T, F], padded at the end.
        lengths: [B], frames of each.
        tokens: [B, P].
        same: boolean [B, B], true where a caption also belongs to another window: the same row, or the same words.
    """

    mel: Tensor
    lengths: Tensor
    tokens: Tensor
    same: Tensor

    def to(self, device: torch.device) -> ClapBatch:
        """The same batch on another device."""
        return ClapBatch(*(tensor.to(device) for tensor in vars(self).values()))


@dataclass(frozen=True)
class Augmentation:
    """What is done to a window so that a small corpus teaches more.

    Attributes:
        gain_db: it is made louder or softer by at most this.
        masked_bands: widest stripe of bands that is hidden (SpecAugment, Park et al. 2019).
        masked_frames: longest stretch of time that is hidden.
    """

    gain_db: float = 0.0
    masked_bands: int = 0
    masked_frames: int = 0


class Clips:
    """The bands and captions of one split.

    Args:
        folder: Written by `encode_mels`.
        split: Its name.
        config: Of the audio tower.
        on_corrupt: What a damaged shard leads to.

    Raises:
        InputError: There are no bands, they are damaged, or they were made with other settings.
    """

    def __init__(self, folder: Path, split: str, config: ClapAudioConfig, on_corrupt: OnCorrupt = "stop"):
        path = mels_path(folder, split)
        if index_path(path).exists():
            facts = read_index(index_path(path))
            for name in _MADE_WITH:
                if facts.get(name) != getattr(config, name):
                    raise InputError(
                        f"The mel bands in {folder} were made with {name} {facts.get(name)} and the recipe's model has "
                        f"{getattr(config, name)}; name another folder for mels, or delete it."
                    )
        self.mels: Mapping[str, Tensor]
        self.mels, self.rows = open_latents(path, on_corrupt)
        self.frames = round(config.seconds * config.sample_rate / config.hop)
        self.lengths = torch.tensor([min(self.frames, len(self.mels[row["id"]])) for row in self.rows])

    def captions(self) -> list[str]:
        """All captions of all rows, as tokenizers read them."""
        return [tidy(caption) for row in self.rows for caption in row["captions"]]

    def collate(
        self,
        indices: list[int],
        tokenizer: LoadedTokenizer,
        max_tokens: int,
        hidden: Tensor,
        how: Augmentation,
        generator: torch.Generator,
    ) -> ClapBatch:
        """A random window and a random caption of each of these rows.

        Args:
            indices: B of them.
            tokenizer: Of the text tower.
            max_tokens: That it reads.
            hidden: [F], what a hidden place is filled with: the mean of each band.
            how: Augmentation.
            generator: Source of all draws.
        """
        pieces, chosen = [], []
        for index in indices:
            row = self.rows[index]
            whole = self.mels[row["id"]]
            place, caption, *draws = torch.rand(7, generator=generator).tolist()
            start = int(place * (max(0, len(whole) - self.frames) + 1))
            pieces.append(_changed(whole[start : start + self.frames].float(), hidden, how, draws))
            chosen.append(tidy(row["captions"][int(caption * len(row["captions"]))]))
        tokens = [torch.tensor(tokenizer.encode(caption)[:max_tokens]) for caption in chosen]
        rows = torch.tensor(indices)
        words = torch.tensor([chosen.index(caption) for caption in chosen])
        return ClapBatch(
            mel=pad_sequence(pieces, batch_first=True),
            lengths=torch.tensor([len(piece) for piece in pieces]),
            tokens=pad_sequence(tokens, batch_first=True, padding_value=tokenizer.size),
            same=(rows[:, None] == rows) | (words[:, None] == words),
        )


def _changed(mel: Tensor, hidden: Tensor, how: Augmentation, draws: list[float]) -> Tensor:
    """Bands [T, F] with another gain and two hidden stripes; `draws` are five numbers in [0, 1)."""
    gain, band_width, band, time_width, time = draws
    if how.gain_db:
        factor = 10 ** (how.gain_db * (2 * gain - 1) / 20)
        mel = torch.log((mel.exp() - FLOOR).clamp(min=0) * factor + FLOOR)
    wide = min(int(band_width * (how.masked_bands + 1)), mel.shape[1])
    first = int(band * (mel.shape[1] - wide + 1))
    mel[:, first : first + wide] = hidden[first : first + wide]
    long = min(int(time_width * (how.masked_frames + 1)), len(mel) // 2)
    begin = int(time * (len(mel) - long + 1))
    mel[begin : begin + long] = hidden
    return mel
