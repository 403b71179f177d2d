"""Datasets of the Hub, or local folders of the same files, row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from calm_core.errors import InputError
from calm_core.hub import offline
from calm_core.training.recipes import Strict
from calm_core.training.recordings.found import Found
from calm_core.training.recordings.music_tags import attributes, captions, sentences


class Columns(Strict):
    """Which column of music holds what. One with several values is a list, or a text with commas."""

    audio: str = "audio"
    id: str = "id"  # unique
    captions: list[str] = Field(default=[], description="columns of sentences; made of the tags where all are empty")
    genres: str | None = None
    moods: str | None = None
    instruments: str | None = None
    artist: str | None = Field(default=None, description="recordings of one go into one split of a corpus")

    @property
    def named(self) -> list[str]:
        """The columns that a dataset must have."""
        named = (self.audio, self.id, *self.captions, self.genres, self.moods, self.instruments, self.artist)
        return [name for name in named if name is not None]


class DatasetSource(Strict):
    """`kind: dataset`: a dataset of the Hub, or a local folder of the same files, streamed with `datasets`."""

    kind: Literal["dataset"]
    path: str = Field(description="OWNER/NAME, or a folder; parquet files, or for emilia tars")
    name: str | None = Field(None, description="configuration of the dataset, such as clean")
    split: str = "train"
    revision: str | None = None
    layout: Literal["librispeech", "emilia", "music"]
    columns: Columns = Field(default_factory=Columns, description="of the layout music")
    shuffle: int = Field(0, ge=0, description="rows of the shuffle buffer")
    seed: int = 0
    least_dnsmos: float | None = Field(None, description="leave out rows that sound worse (emilia)")

    def name_of(self, row: dict[str, Any]) -> str:
        """How messages call a row."""
        known = self.columns.id if self.layout == "music" else "id" if self.layout == "librispeech" else "__key__"
        return str(row.get(known))

    @property
    def needed(self) -> list[str]:
        """The columns of its layout."""
        if self.layout == "music":
            return self.columns.named
        return ["audio", "text", "speaker_id", "id"] if self.layout == "librispeech" else ["mp3", "json"]


Row = dict[str, Any]
_NO_LABEL = -1  # as datasets mark a label that is not known


def stream(source: DatasetSource, process: int, processes: int) -> tuple[Iterator[Row], Callable[[Row], Found]]:
    """The rows of a dataset that fall to a process, with their sounds as bytes, and what reads one of them.

    Raises:
        InputError: There is no such dataset, or it is laid out otherwise.
    """
    if offline() and not Path(source.path).is_dir():
        raise InputError(
            f"The dataset {source.path} is on the Hub, and CALM_OFFLINE forbids to ask it; "
            "unset it or name a local folder."
        )
    from datasets import Audio, Features, IterableDataset, Json, Value, load_dataset
    from datasets.distributed import split_dataset_by_node

    def load(features: Features | None = None) -> IterableDataset:
        return load_dataset(  # type: ignore[return-value]
            source.path,
            source.name,
            split=source.split,
            revision=source.revision,
            features=features,
            streaming=True,
        )

    try:
        rows = load()
    except (ValueError, OSError, RuntimeError) as error:
        raise InputError(f"The dataset {source.path} cannot be opened: {str(error).splitlines()[0]}") from None
    features = dict(rows.features or {})
    missing = [name for name in source.needed if name not in features]
    if missing:
        raise InputError(
            f"The dataset {source.path} is not laid out as {source.layout}: it has {', '.join(features)} "
            f"and no {', '.join(missing)}; choose another layout{' or columns' if source.layout == 'music' else ''}."
        )
    # Sounds come as bytes: our own decoder names what is damaged.
    if source.layout == "emilia":
        text = Value("string")
        rows = load(Features({"mp3": Value("binary"), "json": Json(), "__key__": text, "__url__": text}))
    else:
        sounds = "audio" if source.layout == "librispeech" else source.columns.audio
        rows = rows.cast_column(sounds, Audio(decode=False))
    if source.shuffle > 1:
        rows = rows.shuffle(seed=source.seed, buffer_size=source.shuffle)
    reads = {
        "librispeech": _from_librispeech,
        "emilia": _from_emilia,
        "music": lambda row: _from_music(row, source.columns, features),
    }
    return _of_parquet(split_dataset_by_node(rows, process, processes), source), reads[source.layout]


def _of_parquet(rows: Iterable[Row], source: DatasetSource) -> Iterator[Row]:
    """The rows; only those of parquet files, and Emilia's, come with sounds as bytes.

    Raises:
        InputError: They lie elsewhere, where `datasets` would decode them.
    """
    try:
        yield from rows
    except ImportError:
        raise InputError(
            f"The sounds of the dataset {source.path} are not in parquet files; read tars with kind: tars, "
            "or convert the dataset to parquet."
        ) from None


def _sound(value: dict[str, Any]) -> bytes | Path:
    if value["bytes"] is not None:
        return value["bytes"]
    if "://" in str(value["path"]):
        raise ValueError(f"its sound is not in the row but at {value['path']}")
    return Path(value["path"])


def _from_librispeech(row: Row) -> Found:
    return Found(str(row["id"]), _sound(row["audio"]), row["text"], str(row["speaker_id"]))


def _from_emilia(row: Row) -> Found:
    facts = row["json"]
    name = str(facts.get("id") or row["__key__"])
    return Found(name, row["mp3"], facts["text"].strip(), str(facts["speaker"]), facts.get("dnsmos"))


def _from_music(row: Row, columns: Columns, features: dict[str, Any]) -> Found:
    tags = {
        name: [] if column is None else _values(row[column], features[column])
        for name, column in (
            ("genres", columns.genres), ("moods", columns.moods), ("instruments", columns.instruments),
        )
    }  # fmt: skip
    written = [text for column in columns.captions for text in sentences(row[column])]
    if row[columns.id] is None:
        raise ValueError(f"its {columns.id} is empty")
    artist = None if columns.artist is None else row[columns.artist]
    known = attributes(tags["genres"], tags["moods"], tags["instruments"], artist=artist)
    said = written or captions(known)
    name = str(row[columns.id])
    return Found(
        name, _sound(row[columns.audio]), said[0] if said else "", name if artist is None else str(artist),
        facts={"captions": said, "attributes": known},
    )  # fmt: skip


def _values(value: Any, feature: Any) -> list[str]:
    """The values of a cell as texts; labels are kept as numbers, whose names the feature knows."""
    if value is None:
        return []
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    inner = getattr(feature, "feature", feature)
    to_text = getattr(inner, "int2str", str)
    every = value if isinstance(value, list) else [value]
    return [to_text(each) for each in every if each is not None and each != _NO_LABEL]
