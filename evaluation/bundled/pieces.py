"""Pieces of music that the bundled models never heard: the held-out and validation splits of their corpus."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

import calm_core.errors
from calm_core.training.data import Corpus, Row
from evaluation.clips import Clip, make_clip
from evaluation.errors import InputError


@dataclass(frozen=True)
class Piece:
    """A piece, read from its shard when it is asked for.

    Attributes:
        row: Its line of the manifest.
        shard: Its sound file.
        sample_rate: Hz.
    """

    row: Row
    shard: Path
    sample_rate: int

    @property
    def name(self) -> str:
        """Its id in the corpus."""
        return self.row.id

    @property
    def caption(self) -> str:
        """Its fullest caption."""
        return self.row.text or self.row.captions[0]

    @property
    def attributes(self) -> dict[str, Any]:
        """What is known of it in fields; see `metrics.captioned.Attributes`."""
        return self.row.attributes

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.row.samples / self.sample_rate

    def part(self, begin: float, seconds: float) -> Clip:
        """Some seconds of it, from `begin` on; what lies behind its end is left out.

        Raises:
            InputError: The shard is missing or damaged.
        """
        first = self.row.start + round(begin * self.sample_rate)
        last = min(first + round(seconds * self.sample_rate), self.row.start + self.row.samples)
        try:
            samples, _ = soundfile.read(self.shard, start=first, stop=last, dtype="float64")
        except (soundfile.LibsndfileError, OSError) as error:
            raise InputError(f"Cannot read {self.shard} ({error}); make the corpus again.") from error
        return make_clip(self.name, samples, self.sample_rate, self.caption)


class HeldOut:
    """The pieces of a corpus that no model was trained on and that have captions, in its order, held-out ones first.

    Args:
        corpus: Folder of `manifest.jsonl` and its FLAC shards.

    Raises:
        InputError: There is no corpus, or it has no held-out pieces.
    """

    def __init__(self, corpus: Path):
        self.pieces: list[Piece] = []
        for split in ("heldout", "valid"):
            try:
                found = Corpus(corpus, split)
            except calm_core.errors.InputError as error:
                if split == "heldout":
                    raise InputError(str(error)) from error
                continue
            except soundfile.LibsndfileError as error:
                raise InputError(f"Cannot read a shard of {corpus} ({error}); make the corpus again.") from error
            rows = [row for row in found.rows if row.text or row.captions]
            if not rows and split == "heldout":
                raise InputError(f"No held-out piece of {corpus} has a caption; give a corpus of music with captions.")
            self.pieces += [Piece(row, corpus / row.shard, found.sample_rate) for row in rows]

    def facts(self) -> list[Any]:
        """All that measurements on these pieces depend on, for a fingerprint."""
        return [[p.name, p.row.split, p.row.samples, p.caption, p.attributes] for p in self.pieces]

    def judged(self, count: int, seconds: float, option: str) -> list[Piece]:
        """The first held-out pieces that last long enough.

        Args:
            count: Of pieces.
            seconds: That each must last.
            option: What asks for so many, as a message names it.

        Raises:
            InputError: There are fewer.
        """
        long = [piece for piece in self.pieces if piece.row.split == "heldout" and piece.seconds >= seconds]
        if len(long) < count:
            raise InputError(
                f"Only {len(long)} held-out pieces of the corpus last {seconds:g} s; ask for fewer {option} or seconds."
            )
        return long[:count]

    def others(self, judged: Sequence[Piece], seconds: float) -> list[Piece]:
        """Every other piece that lasts long enough, beside which the judged ones are compared.

        Raises:
            InputError: There are fewer than two.
        """
        names = {piece.name for piece in judged}
        found = [piece for piece in self.pieces if piece.name not in names and piece.seconds >= seconds]
        if len(found) < 2:
            raise InputError(
                f"{len(found)} pieces are left to compare with beside {len(judged)} prompts; ask for fewer --prompts."
            )
        return found
