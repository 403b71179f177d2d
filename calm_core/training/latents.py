"""Latents computed once: a corpus through a trained codec, kept beside what a TTS model needs to know of each row."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from calm_core.codecs import Codec, RVQCodec
from calm_core.conditioners.aligned import ENDINGS, PHONE_INDEX
from calm_core.errors import InputError
from calm_core.training.checkpoint import write_json, write_tensors
from calm_core.training.data import Corpus, Row
from calm_core.training.faults import OnCorrupt
from calm_core.training.latent_shards import open_latents
from calm_core.training.statistics import exact_statistics, write_statistics
from calm_core.weights import first_levels, read_tensors


@torch.inference_mode()
def encode_corpus(codec: Codec, corpus: Corpus, path: Path, batch: int = 32, device: str = "cpu") -> None:
    """Write the mean latents of every row of `corpus` to `path` (safetensors: row id -> `[T, D]` fp16).

    Of a codec with codebooks, the codes are written instead (`[T, K]` int16). Beside the latents of the training split
    come their statistics (see `training.statistics`).

    Rows of similar length share a batch; the codec is causal, so padding at the end changes nothing before it.
    """
    order = sorted(range(len(corpus.rows)), key=lambda i: corpus.rows[i].samples)
    latents: dict[str, Tensor] = {}
    for at in range(0, len(order), batch):
        rows = [corpus.rows[i] for i in order[at : at + batch]]
        waves = torch.zeros(len(rows), max(r.samples for r in rows))
        for wave, row in zip(waves, rows, strict=True):
            wave[: row.samples] = corpus.audio(row)
        wave = waves[:, None].to(device)
        made = codec.codes(wave).short() if isinstance(codec, RVQCodec) else codec.encode(wave).half()
        for index, row in enumerate(rows):
            frames = -(-row.samples // codec.frame_size)
            latents[row.id] = made[index, :frames].cpu().clone()
        if at // batch % 20 == 0:
            print(f"latents {at}/{len(order)}", file=sys.stderr, flush=True)
    write_tensors(path, latents)
    if corpus.rows[0].split == "train" and not isinstance(codec, RVQCodec):
        write_statistics(path.parent, latents.values())
    write_json(path.with_suffix(".json"), [_describe(row) for row in corpus.rows])


def _describe(row: Row) -> dict[str, object]:
    known = {name: value for name, value in vars(row).items() if value}
    return {name: value for name, value in known.items() if name not in ("split", "shard", "start", "samples")}


def load_codec(codec: Codec, path: Path) -> None:
    """Give a codec its trained weights and freeze it; one with codebooks may have fewer levels than they.

    Raises:
        InputError: The file is missing or belongs to a codec of another shape.
    """
    try:
        codec.load_state_dict(first_levels(read_tensors(path), codec.state_dict()))
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise InputError(f"The codec {path} does not fit the recipe's model.codec: {reason}") from None
    codec.eval().requires_grad_(False)


@dataclass(frozen=True)
class TTSBatch:
    """B utterances, padded at the end.

    Attributes:
        latents: `[B, T, D]`, un-normalised.
        frames: `[B]`, frames of each row.
        phones: `[B, N]`, 0 pads.
        ends: `[B, N]`, seconds; padding repeats the last end.
        endings: `[B]`, index into `ENDINGS`.
        voice: `[B, P, D]`, un-normalised latents of another utterance of the same speaker.
        voice_frames: `[B]`.
        texts: As the manifest has them, B of them.
    """

    latents: Tensor
    frames: Tensor
    phones: Tensor
    ends: Tensor
    endings: Tensor
    voice: Tensor
    voice_frames: Tensor
    texts: tuple[str, ...]

    def to(self, device: torch.device) -> "TTSBatch":
        """The same batch on another device."""
        tensors = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **tensors)


class LatentCorpus:
    """Utterances as latents with aligned phones.

    Args:
        path: A file written by `encode_corpus`, or the one that an index of shards stands for.
        min_prompt_frames, max_prompt_frames: Range of voice prompt lengths; 12.5 frames a second.
        on_corrupt: What a damaged shard leads to.
    """

    def __init__(
        self, path: Path, min_prompt_frames: int = 16, max_prompt_frames: int = 75, on_corrupt: OnCorrupt = "stop"
    ):
        self.latents, rows = open_latents(path, on_corrupt)
        self.rows = [row for row in rows if all(phone in PHONE_INDEX for phone, _ in row["phones"])]
        self.prompt_range = (min_prompt_frames, max_prompt_frames)
        self.of_speaker: dict[str, list[int]] = {}
        for index, row in enumerate(self.rows):
            self.of_speaker.setdefault(row["speaker"], []).append(index)
        self.lengths = torch.tensor([self.latents[row["id"]].shape[0] for row in self.rows])

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Exact mean and deviation `[D]` of every latent channel."""
        return exact_statistics([self.latents[row["id"]] for row in self.rows])

    def collate(self, indices: list[int], generator: torch.Generator) -> TTSBatch:
        """The rows with these indices as a batch, each with a prompt drawn from its speaker's other rows."""
        rows = [self.rows[i] for i in indices]
        latents = [self.latents[row["id"]].float() for row in rows]
        voices = [self._prompt(i, generator) for i in indices]
        ends = [torch.tensor([end for _, end in row["phones"]]) for row in rows]
        longest = max(len(e) for e in ends)
        return TTSBatch(
            latents=torch.nn.utils.rnn.pad_sequence(latents, batch_first=True),
            frames=torch.tensor([x.shape[0] for x in latents]),
            phones=torch.nn.utils.rnn.pad_sequence(
                [torch.tensor([PHONE_INDEX[phone] for phone, _ in row["phones"]]) for row in rows], batch_first=True
            ),
            ends=torch.stack([torch.cat([e, e[-1:].expand(longest - len(e))]) for e in ends]),
            endings=torch.tensor([ending_of(row["text"]) for row in rows]),
            voice=torch.nn.utils.rnn.pad_sequence(voices, batch_first=True),
            voice_frames=torch.tensor([v.shape[0] for v in voices]),
            texts=tuple(row["text"] for row in rows),
        )

    def _prompt(self, index: int, generator: torch.Generator) -> Tensor:
        mine = self.of_speaker[self.rows[index]["speaker"]]
        pick = mine[int(torch.randint(len(mine), (1,), generator=generator))]
        if pick == index and len(mine) > 1:
            pick = mine[(mine.index(pick) + 1) % len(mine)]
        latents = self.latents[self.rows[pick]["id"]].float()
        low, high = self.prompt_range
        length = int(torch.randint(low, high + 1, (1,), generator=generator))
        start = int(torch.randint(max(0, latents.shape[0] - length) + 1, (1,), generator=generator))
        return latents[start : start + length]


def ending_of(text: str) -> int:
    """Index into `ENDINGS` of the mark that ends a text; a statement where there is none."""
    last = text.rstrip("\"' )")[-1:]
    return ENDINGS.index(last) if last in ENDINGS else 0
