"""Where recordings come from: our corpora, Hugging Face datasets, webdataset tars. All give the same records."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import soundfile as sf
import soxr
import torch
from pydantic import Field
from torch import Tensor

from calm_core.errors import InputError
from calm_core.hub import offline
from calm_core.training.data import Corpus
from calm_core.training.faults import Faults
from calm_core.training.recipes import Strict
from calm_core.training.tars import expand, read_tars

AUDIO_ENDINGS = ("flac", "wav", "mp3", "ogg", "opus", "m4a")


class CorpusSource(Strict):
    """`kind: corpus`: a split of a corpus made by `calm synthesize`."""

    kind: Literal["corpus"]
    folder: Path
    split: str


class DatasetSource(Strict):
    """`kind: dataset`: a dataset of the Hub, or a local folder of the same files, streamed with `datasets`."""

    kind: Literal["dataset"]
    path: str = Field(description="OWNER/NAME, or a folder of parquet files or tars")
    name: str | None = Field(None, description="configuration of the dataset, such as clean")
    split: str = "train"
    revision: str | None = None
    layout: Literal["librispeech", "emilia"]
    shuffle: int = Field(0, ge=0, description="rows of the shuffle buffer")
    seed: int = 0
    least_dnsmos: float | None = Field(None, description="leave out rows that sound worse (emilia)")


class TarSource(Strict):
    """`kind: tars`: webdataset tars with a sound and a `json` or `txt` for each sample."""

    kind: Literal["tars"]
    tars: list[str] = Field(description="paths or hf://datasets/OWNER/NAME/PATH; {000..011} and * stand for many")
    shuffle: int = Field(0, ge=0, description="samples of the shuffle buffer")
    seed: int = 0
    least_dnsmos: float | None = Field(None, description="leave out samples whose json says less")


Source = Annotated[CorpusSource | DatasetSource | TarSource, Field(discriminator="kind")]


@dataclass(frozen=True)
class Record:
    """One recording.

    Attributes:
        id: Unique in its source.
        samples: `[T]`, float32 in [-1, 1], one channel.
        text: What is said; empty where the source does not know.
        speaker: Whose voice; the recording's own id where the source does not know.
        facts: What else goes to the row of the latents, such as times of phones.
    """

    id: str
    samples: Tensor
    text: str
    speaker: str
    facts: dict[str, Any] = field(default_factory=dict)


def decode_sound(data: bytes, sample_rate: int) -> Tensor:
    """Bytes of a sound file to samples `[T]` at a rate in Hz, channels averaged.

    Raises:
        ValueError: The bytes are no sound, or hold none.
    """
    try:
        samples, rate = sf.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except sf.LibsndfileError as error:
        raise ValueError(str(error)) from None
    mono = samples.mean(axis=1)
    if not len(mono) or not np.isfinite(mono).all():
        raise ValueError("it holds no samples, or some that are not finite")
    return torch.from_numpy(soxr.resample(mono, rate, sample_rate) if rate != sample_rate else mono)


@dataclass(frozen=True)
class _Found:
    """A recording that is not decoded yet."""

    id: str
    sound: bytes
    text: str
    speaker: str
    dnsmos: float | None = None


def _from_tar(sample: dict[str, Any]) -> _Found:
    """A sample in any of the usual layouts; Emilia's json has text, speaker, duration and dnsmos."""
    ending = next((e for e in AUDIO_ENDINGS if e in sample), None)
    if ending is None:
        raise ValueError(f"it has no {', '.join(AUDIO_ENDINGS)} but {', '.join(k for k in sample if k != 'key')}")
    facts = json.loads(sample["json"]) if "json" in sample else {}
    text = sample["txt"].decode("utf-8").strip() if "txt" in sample else str(facts.get("text", "")).strip()
    speaker = facts.get("speaker", facts.get("speaker_id", sample["key"]))
    return _Found(str(facts.get("id", sample["key"])), sample[ending], text, str(speaker), facts.get("dnsmos"))


def _from_librispeech(row: dict[str, Any]) -> _Found:
    sound = row["audio"]
    content = sound["bytes"] if sound["bytes"] is not None else Path(sound["path"]).read_bytes()
    return _Found(str(row["id"]), content, row["text"], str(row["speaker_id"]))


def _from_emilia(row: dict[str, Any]) -> _Found:
    facts = row["json"]
    name = str(facts.get("id") or row["__key__"])
    return _Found(name, row["mp3"], facts["text"].strip(), str(facts["speaker"]), facts.get("dnsmos"))


def _stream_dataset(source: DatasetSource, process: int, processes: int) -> Iterator[dict[str, Any]]:
    """Rows of a dataset with their sounds as bytes."""
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
    except (ValueError, OSError) as error:
        raise InputError(f"The dataset {source.path} cannot be opened: {str(error).splitlines()[0]}") from None
    needed = ("audio", "text", "speaker_id", "id") if source.layout == "librispeech" else ("mp3", "json")
    there = list(rows.features or {})
    missing = [name for name in needed if name not in there]
    if missing:
        raise InputError(
            f"The dataset {source.path} is not laid out as {source.layout}: it has {', '.join(there)} "
            f"and no {', '.join(missing)}; choose another layout."
        )
    # Sounds come as bytes: our own decoder names what is damaged.
    if source.layout == "librispeech":
        rows = rows.cast_column("audio", Audio(decode=False))
    else:
        text = Value("string")
        rows = load(Features({"mp3": Value("binary"), "json": Json(), "__key__": text, "__url__": text}))
    if source.shuffle > 1:
        rows = rows.shuffle(seed=source.seed, buffer_size=source.shuffle)
    yield from split_dataset_by_node(rows, process, processes)


def records(
    source: CorpusSource | DatasetSource | TarSource,
    sample_rate: int,
    faults: Faults,
    process: int = 0,
    processes: int = 1,
) -> Iterator[Record]:
    """The recordings of a source that one of several processes is to handle, in an order that never changes.

    Args:
        source: See the classes above.
        sample_rate: That the samples shall have, Hz.
        faults: Meets what is damaged.
        process: Which part.
        processes: Of how many.

    Raises:
        InputError: There is no such source, it is laid out otherwise, or something is damaged and that stops.
    """
    if isinstance(source, CorpusSource):
        yield from _of_corpus(source, sample_rate, process, processes)
        return
    if isinstance(source, TarSource):
        tars = [address for pattern in source.tars for address in expand(pattern)]
        found, read = read_tars(tars, faults, process, processes, source.shuffle, source.seed), _from_tar
    else:
        found = _stream_dataset(source, process, processes)
        read = _from_librispeech if source.layout == "librispeech" else _from_emilia
    for row in found:
        name = str(row.get("key") or row.get("id") or row.get("__key__"))
        try:
            item = read(row)
            if source.least_dnsmos is not None and item.dnsmos is not None and item.dnsmos < source.least_dnsmos:
                continue
            samples = decode_sound(item.sound, sample_rate)
        except (ValueError, KeyError, TypeError, OSError) as error:
            faults.meet(f"the record {name}", error)
            continue
        yield Record(item.id, samples, item.text, item.speaker)


def _of_corpus(source: CorpusSource, sample_rate: int, process: int, processes: int) -> Iterator[Record]:
    corpus = Corpus(source.folder, source.split)
    if corpus.sample_rate != sample_rate:
        raise InputError(f"The corpus in {source.folder} has {corpus.sample_rate} Hz and the codec {sample_rate} Hz.")
    for row in corpus.rows[process::processes]:
        yield Record(row.id, corpus.audio(row), row.text, row.speaker, {"phones": row.phones, "words": row.words})
