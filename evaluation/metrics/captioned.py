"""What a caption says about music in fields, a NAME.json beside NAME.wav, and how far clips keep to it."""

import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.metrics.musical_key import find_key, key_score, read_key
from evaluation.metrics.tempo import TEMPO_CLASSES, class_agreement, find_tempo, tempo_accuracy

if TYPE_CHECKING:
    from evaluation.metrics.attributes import AttributeClassifier

Rows = list[tuple[str, str, float]]


class Attributes(BaseModel):
    """What is known of a clip; fields that a corpus adds are not looked at.

    Attributes:
        genre: One word.
        mood: One word.
        tempo_bpm: Beats per minute.
        tempo_class: `slow`, `medium` or `fast`.
        key: The tonic, such as `F#`.
        mode: `major` or `minor`.
        instruments: Those that play.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    genre: str | None = None
    mood: str | None = None
    tempo_bpm: float | None = None
    tempo_class: str | None = None
    key: str | None = None
    mode: str | None = None
    instruments: tuple[str, ...] | None = None


def parse_attributes(text: str, where: str) -> Attributes:
    """From JSON; a row of a manifest with a field `attributes` will do as well.

    Raises:
        InputError: It is no JSON object, or a field is of another kind; the message begins with `where`.
    """
    try:
        found = json.loads(text)
        if isinstance(found, dict) and isinstance(found.get("attributes"), dict):
            found = found["attributes"]
        read = Attributes.model_validate(found)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(map(str, fault["loc"])) or "it"
        raise InputError(
            f"{where} does not describe music: {field}: {fault['msg']}; give an object with genre, mood, tempo_bpm, "
            f"tempo_class, key, mode and instruments, as far as they are known."
        ) from error
    except ValueError as error:
        raise InputError(f"{where} is not JSON ({error}); write the attributes of the clip as an object.") from error
    if read.tempo_class is not None and read.tempo_class not in TEMPO_CLASSES:
        raise InputError(f"{where} has the tempo_class {read.tempo_class!r}; it is {', '.join(TEMPO_CLASSES)}.")
    if read.tempo_bpm is not None and not 0 < read.tempo_bpm < math.inf:
        raise InputError(f"{where} has the tempo_bpm {read.tempo_bpm}; give beats per minute above 0.")
    return read


def read_attributes(clip: Clip) -> Attributes:
    """Of the JSON file of the same name beside a clip.

    Raises:
        InputError: There is none, or see `parse_attributes`.
    """
    path = clip.path.with_suffix(".json") if clip.path else None
    if path is None or not path.is_file():
        raise InputError(f"{clip.item} has no attributes; give a NAME.json with them beside each NAME.wav.")
    return parse_attributes(path.read_text(encoding="utf-8", errors="replace"), str(path))


class Agreement:
    """Figures of clips that are handed over one by one, each with what is known of it.

    Args:
        name: Of the metric.
        needs: What a clip must be described by, as messages say it.
        judge: Figures of a clip by their metric; none where its attributes say nothing of the matter.
        describe: Where a clip's attributes come from.
    """

    def __init__(
        self,
        name: str,
        needs: str,
        judge: Callable[[Clip, Attributes], Sequence[tuple[str, float]]],
        describe: Callable[[Clip], Attributes] = read_attributes,
    ):
        self._name, self._needs, self._judge, self._describe = name, needs, judge, describe
        self._found: Rows = []
        self._silent = 0

    def add(self, clip: Clip) -> None:
        """Take a clip in.

        Raises:
            InputError: It has no attributes or such that cannot be read, or it is too short.
        """
        figures = self._judge(clip, self._describe(clip))
        self._silent += not figures
        self._found += [(Path(clip.item).name, metric, value) for metric, value in figures]

    def rows(self) -> Rows:
        """Each clip's figures and, for each metric, their mean, as `(item, metric, value)`.

        Raises:
            InputError: No clip's attributes say anything of the matter.
        """
        if not self._found:
            raise InputError(f"{self._name} finds no clip that is described by {self._needs}; add it to NAME.json.")
        if self._silent:
            print(f"{self._name} leaves out {self._silent} clips without {self._needs}", file=sys.stderr)
        rows = list(self._found)
        for metric in dict.fromkeys(metric for _, metric, _ in self._found):
            values = [value for _, name, value in self._found if name == metric]
            rows.append(("mean", metric, math.fsum(values) / len(values)))
        return rows


def _judge_tempo(clip: Clip, known: Attributes) -> Sequence[tuple[str, float]]:
    if known.tempo_class is None and known.tempo_bpm is None:
        return []
    tempo = find_tempo(clip)
    rows = []
    if known.tempo_class is not None:
        exact, octave = class_agreement(tempo, known.tempo_class)
        rows += [("tempo_agreement", exact), ("tempo_agreement_octave", octave)]
    if known.tempo_bpm is not None:
        exact, octave = tempo_accuracy(tempo, known.tempo_bpm)
        rows += [("tempo_accuracy_1", exact), ("tempo_accuracy_2", octave)]
    return rows


def _judge_key(clip: Clip, known: Attributes) -> Sequence[tuple[str, float]]:
    if known.key is None:
        return []
    true, found = read_key(known.key, known.mode), find_key(clip)
    return [("key_agreement", key_score(found, true) if found else 0.0), ("key_exact", float(found == true))]


class TempoAgreement(Agreement):
    """Agreement with `tempo_class` (exact, and up to a factor of 2) and with `tempo_bpm` (accuracies 1 and 2)."""

    def __init__(self) -> None:
        super().__init__("tempo_agreement", "tempo_class or tempo_bpm", _judge_tempo)


class KeyAgreement(Agreement):
    """Agreement with `key` and `mode`: MIREX's weighted score, and the share of exact keys."""

    def __init__(self) -> None:
        super().__init__("key_agreement", "key", _judge_key)


class AttributeAgreement(Agreement):
    """Agreement with what a trained classifier of attributes hears; see `attributes.AttributeClassifier.judge`."""

    def __init__(self, classifier: "AttributeClassifier"):
        super().__init__("attribute_agreement", "genre, mood, tempo_class or instruments", classifier.judge)
