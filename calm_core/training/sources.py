"""Where recordings come from: our corpora, Hugging Face datasets, webdataset tars, sets of real music.

All give the same records.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from torch import Tensor

from calm_core.errors import InputError
from calm_core.training.data import Corpus
from calm_core.training.faults import Faults
from calm_core.training.recipes import Strict
from calm_core.training.recordings.datasets import DatasetSource, stream
from calm_core.training.recordings.found import AUDIO_ENDINGS, Found, decode_sound
from calm_core.training.recordings.music_sets import MusicSet, found_in
from calm_core.training.recordings.music_tags import sentences
from calm_core.training.tars import expand, read_tars


class CorpusSource(Strict):
    """`kind: corpus`: a split of a corpus made by `calm synthesize` or `calm collect`."""

    kind: Literal["corpus"]
    folder: Path
    split: str


class TarSource(Strict):
    """`kind: tars`: webdataset tars with a sound and a `json` or `txt` for each sample."""

    kind: Literal["tars"]
    tars: list[str] = Field(description="paths or hf://datasets/OWNER/NAME/PATH; {000..011} and * stand for many")
    shuffle: int = Field(0, ge=0, description="samples of the shuffle buffer")
    seed: int = 0
    least_dnsmos: float | None = Field(None, description="leave out samples whose json says less")


OthersSource = DatasetSource | TarSource | MusicSet
"""Recordings of others, which `found` gives."""

Source = Annotated[CorpusSource | OthersSource, Field(discriminator="kind")]


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


def _from_tar(sample: dict[str, Any]) -> Found:
    """A sample in any of the usual layouts; Emilia's json has text, speaker, duration and dnsmos, music's captions."""
    ending = next((e for e in AUDIO_ENDINGS if e in sample), None)
    if ending is None:
        raise ValueError(f"it has no {', '.join(AUDIO_ENDINGS)} but {', '.join(k for k in sample if k != 'key')}")
    facts = json.loads(sample["json"]) if "json" in sample else {}
    if not isinstance(facts, dict):
        raise ValueError("its json is no object")
    facts = {name: value for name, value in facts.items() if value is not None}
    said = sentences(facts.get("captions")) or sentences(facts.get("caption"))
    text = sample["txt"].decode("utf-8").strip() if "txt" in sample else str(facts.get("text", "")).strip()
    speaker = next((facts[name] for name in ("speaker", "speaker_id", "artist") if name in facts), sample["key"])
    return Found(
        str(facts.get("id", sample["key"])), sample[ending], text or next(iter(said), ""), str(speaker),
        facts.get("dnsmos"), facts={"captions": said} if said else {},
    )  # fmt: skip


def found(source: OthersSource, faults: Faults, process: int = 0, processes: int = 1) -> Iterator[Found]:
    """The recordings of others that one of several processes is to handle, in an order that never changes.

    Args:
        source: See the classes above.
        faults: Meets what is damaged.
        process: Which part.
        processes: Of how many.

    Raises:
        InputError: There is no such source, it is laid out otherwise, or something is damaged and that stops.
    """
    if isinstance(source, MusicSet):
        for place, item in enumerate(found_in(source)):
            if place % processes == process:
                yield item
        return
    rows: Iterator[dict[str, Any]]
    read: Callable[[dict[str, Any]], Found]
    if isinstance(source, TarSource):
        tars = [address for pattern in source.tars for address in expand(pattern)]
        rows, read = read_tars(tars, faults, process, processes, source.shuffle, source.seed), _from_tar
    else:
        rows, read = stream(source, process, processes)
    for row in rows:
        try:
            item = read(row)
        except (ValueError, KeyError, TypeError) as error:
            name = row["key"] if isinstance(source, TarSource) else source.name_of(row)
            faults.meet(f"the record {name}", error)
            continue
        if source.least_dnsmos is None or item.dnsmos is None or item.dnsmos >= source.least_dnsmos:
            yield item


def records(
    source: CorpusSource | OthersSource, sample_rate: int, faults: Faults, process: int = 0, processes: int = 1
) -> Iterator[Record]:
    """The same, decoded; also those of a corpus of ours.

    Args:
        source: See the classes above.
        sample_rate: That the samples shall have, Hz.
        faults: Meets what is damaged.
        process: Which part.
        processes: Of how many.

    Raises:
        InputError: As `found`.
    """
    if isinstance(source, CorpusSource):
        yield from _of_corpus(source, sample_rate, process, processes)
        return
    for item in found(source, faults, process, processes):
        try:
            samples = decode_sound(item.sound, sample_rate)
        except (ValueError, OSError) as error:
            faults.meet(f"the record {item.id}", error)
            continue
        yield Record(item.id, samples, item.text, item.speaker, item.facts)


def _of_corpus(source: CorpusSource, sample_rate: int, process: int, processes: int) -> Iterator[Record]:
    corpus = Corpus(source.folder, source.split)
    if corpus.sample_rate != sample_rate:
        raise InputError(f"The corpus in {source.folder} has {corpus.sample_rate} Hz and the codec {sample_rate} Hz.")
    for row in corpus.rows[process::processes]:
        facts = {"phones": row.phones, "words": row.words, "captions": row.captions, "attributes": row.attributes}
        yield Record(row.id, corpus.audio(row), row.text, row.speaker, {k: v for k, v in facts.items() if v})
