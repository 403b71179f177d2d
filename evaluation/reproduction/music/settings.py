"""What the report on music compares: models, sizes, judges."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.reproduction import fingerprints

PART_SECONDS = 5.0
"""Of the parts in which half a minute is looked at."""


@dataclass(frozen=True)
class Settings:
    """What is asked for.

    Attributes:
        corpus: Folder of the corpus of music; None to report what is kept.
        calm: The CALM model with a consistency head.
        trigflow: With a TrigFlow head.
        rq: Over codes, with an RQ-Transformer.
        delays: Over codes, with MusicGen's delays.
        codec: Of the models over latents.
        rq_codec: Of those over codes.
        ablations: Folder of models that are not bundled; None for bundled ones alone.
        prompts: Held-out prompts, each of another piece.
        prompt_seconds: Whole frames.
        seconds: Of new sound.
        captions: Held-out captions.
        long_prompts: Prompts of half a minute each.
        long_seconds: A multiple of `PART_SECONDS`.
        sounds: Clips that codecs make anew.
        seeds: Of generation.
        steps: Of the heads over latents in table 9.
        takes: Times that each speed is measured.
        embedder: For the Frechet distance and scores of captions; see `embedders.find_embedder`.
        tagger: For the KLD; see `tagging.find_tagger`.
        attributes: File of the classifier of attributes; None for none.
        device: Torch device.
    """

    corpus: Path | None = None
    calm: str = "calm-music"
    trigflow: str = "calm-music-trigflow"
    rq: str = "rq-music"
    delays: str = "musicgen-music"
    codec: str = "calm-codec-music"
    rq_codec: str = "rq-codec-music"
    ablations: Path | None = None
    prompts: int = 64
    prompt_seconds: float = 2.96
    seconds: float = 10.0
    captions: int = 50
    long_prompts: int = 32
    long_seconds: float = 30.0
    sounds: int = 32
    seeds: Sequence[int] = (0, 1, 2)
    steps: Sequence[int] = (1, 4, 10, 25, 50, 100)
    takes: int = 3
    embedder: str = "clap"
    tagger: str = "attributes"
    attributes: Path | None = None
    device: str = "cpu"

    def found(self, name: str) -> str:
        """A model that is not an option by what loads it: its folder among the ablations, else a bundled id."""
        if self.ablations is not None and fingerprints.model_folder(str(self.ablations / name)):
            return str(self.ablations / name)
        return name

    @property
    def judged(self) -> int:
        """Held-out pieces that are gone on from or described; all others are what they are compared with."""
        return max(self.prompts, self.captions)

    @property
    def ear(self) -> str:
        """The embedder's name in records and tables, without the folder of its weights."""
        kind, colon, source = self.embedder.partition(":")
        return f"{kind}{colon}{Path(source).name}"

    @property
    def judge(self) -> str | None:
        """Fingerprint of the embedder; None where it is not here."""
        kind, _, source = self.embedder.partition(":")
        if self.embedder == "mel":
            return "mel"
        if kind == "vggish":
            return fingerprints.of_file(Path(source)) if Path(source).is_file() else None
        if kind == "laion" and not Path(source).exists():
            return fingerprints.of_model(f"hf://{source}")
        return fingerprints.of_model(source or "calm-clap-music")

    @property
    def tags(self) -> str | None:
        """Fingerprint of the tagger; None where it is not here."""
        kind, _, source = self.tagger.partition(":")
        if kind == "pann":
            return fingerprints.of_file(Path(source)) if Path(source).is_file() else None
        return self.classifier

    @property
    def classifier(self) -> str | None:
        """Fingerprint of the classifier of attributes; None without one."""
        return fingerprints.of_file(self.attributes) if self.attributes and self.attributes.is_file() else None


@dataclass(frozen=True)
class System:
    """What goes on from prompts, or makes music of captions.

    Attributes:
        model: What loads it.
        steps: Of its head; None leaves them to the model.
        like: The packaged model whose configuration a finished run has.
        frames: Length of the short context, where a run's differs from that of `like`.
    """

    model: str
    steps: int | None = None
    like: str | None = None
    frames: int | None = None

    @property
    def name(self) -> str:
        """The model's, as tables have it."""
        return Path(self.model).name

    @property
    def label(self) -> str:
        """Its name in tables and records."""
        steps = "" if self.steps is None else f" at {self.steps} step{'s' if self.steps > 1 else ''}"
        return f"{self.name}{steps}"

    @property
    def like_folder(self) -> str | None:
        """The folder of `like`, where it is here."""
        folder = fingerprints.model_folder(self.like) if self.like else None
        return None if folder is None else str(folder)

    @property
    def changes(self) -> dict[str, dict[str, Any]]:
        """To the configuration of `like`; see `bundled.music.openable`."""
        return {} if self.frames is None else {"short_context": {"frames": self.frames}}
