"""A registry of metrics of three kinds: of pairs of a clip and its reference, of clips alone, and of two sets of clips.

`METRICS[name].load()` imports the module that computes it, so nothing heavy is imported before it is used.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from evaluation.clips import Clip
from evaluation.errors import InputError

Score = Callable[[Clip, Clip], float]
Kind = Literal["pair", "clips", "sets"]

LENGTH_TOLERANCE = 0.1
"""Seconds by which the two clips of an aligned metric may differ in length; the longer one is cut."""


class Collector(Protocol):
    """A metric of clips: they are handed over one by one, figures come at the end."""

    def add(self, clip: Clip) -> None:
        """Take a clip in."""
        ...

    def rows(self) -> list[tuple[str, str, float]]:
        """Figures as `(item, metric, value)`; the item `mean` is that of all clips."""
        ...


class SetCollector(Collector, Protocol):
    """A metric of two sets, whose clips need not correspond."""

    def add_reference(self, clip: Clip) -> None:
        """Take a clip of the reference set in."""
        ...


@dataclass(frozen=True)
class Choices:
    """What the metrics measure with.

    Attributes:
        recogniser: See `recognition.find_recogniser`.
        speaker_model: See `speaker.find_encoder`.
        language_model: See `perplexity.find_language_model`.
        mos_models: Files of predictors of opinions; see `dnsmos.find_dnsmos` and `utmos.find_utmos`.
        items: See `phone_items.find_items`.
        features: See `phone_items.find_features`.
        embedder: See `embedders.find_embedder`.
        tagger: See `tagging.find_tagger`.
        attributes: File of a classifier, the bundled one when None; see `attributes.find_classifier`.
        device: A torch device for the models of `transformers` and for codecs.
        seed: Of every draw.
    """

    recogniser: str = "pocketsphinx"
    speaker_model: str = "resemblyzer"
    language_model: str | None = None
    mos_models: tuple[str, ...] = ()
    items: Path | None = None
    features: str = "mel"
    embedder: str = "clap"
    tagger: str = "attributes"
    attributes: Path | None = None
    device: str = "cpu"
    seed: int = 0


def _found(place: str, *arguments: object) -> Any:
    module, function = place.split(":")
    return getattr(importlib.import_module(f"evaluation.metrics.{module}"), function)(*arguments)


# What a metric's function takes by name, from what the user chose; loading it early finds what is missing early.
_PARTS: dict[str, Callable[[Choices], Any]] = {
    "recogniser": lambda chosen: _found("recognition:find_recogniser", chosen.recogniser, chosen.device),
    "encoder": lambda chosen: _found("speaker:find_encoder", chosen.speaker_model, chosen.device),
    "language_model": lambda chosen: _found("perplexity:find_language_model", chosen.language_model, chosen.device),
    "network": lambda chosen: _found("dnsmos:find_dnsmos", chosen.mos_models),
    "predictor": lambda chosen: _found("utmos:find_utmos", chosen.mos_models, chosen.device),
    "items": lambda chosen: _found("phone_items:find_items", chosen.items),
    "features": lambda chosen: _found("phone_items:find_features", chosen.features, chosen.device),
    "embedder": lambda chosen: _found("embedders:find_embedder", chosen.embedder, chosen.device),
    "text_embedder": lambda chosen: _found("embedders:find_text_embedder", chosen.embedder, chosen.device),
    "tagger": lambda chosen: _found("tagging:find_tagger", chosen.tagger, chosen.attributes, chosen.device),
    "classifier": lambda chosen: _found("attributes:find_classifier", chosen.attributes, chosen.device),
    "seed": lambda chosen: chosen.seed,
}


@dataclass(frozen=True)
class Metric:
    """One way to judge clips.

    Attributes:
        name: Its name on the command line.
        describes: What it says, with unit and source.
        better: `higher` or `lower`.
        function: `module:function` of a pair, or `module:class` of a collector, below `evaluation.metrics`.
        packages: What it needs from the package index, as pip takes it.
        aligned: Whether it compares sample by sample or frame by frame, so that lengths must agree.
        parts: What the function or class takes beside clips, keys of `_PARTS`.
        kind: What it is told: pairs of a reference and a degraded clip, clips alone, or a reference set and a set.
    """

    name: str
    describes: str
    better: str
    function: str
    packages: tuple[str, ...] = ()
    aligned: bool = False
    parts: tuple[str, ...] = ()
    kind: Kind = "pair"

    def load(self, choices: Choices | None = None) -> Score:
        """The function that computes it for a pair.

        Raises:
            InputError: A package or file that it needs is missing.
        """
        assert self.kind == "pair"
        score = self._configured(choices or Choices())
        return _aligned(self.name, score) if self.aligned else score

    def collector(self, choices: Choices | None = None) -> Collector:
        """A fresh collector of clips.

        Raises:
            InputError: A package or file that it needs is missing.
        """
        assert self.kind == "clips"
        return self._configured(choices or Choices())()

    def set_collector(self, choices: Choices | None = None) -> SetCollector:
        """A fresh collector of two sets.

        Raises:
            InputError: A package or file that it needs is missing.
        """
        assert self.kind == "sets"
        return self._configured(choices or Choices())()

    def _configured(self, choices: Choices) -> Callable[..., Any]:
        module, name = self.function.split(":")
        try:
            function = getattr(importlib.import_module(f"evaluation.metrics.{module}"), name)
        except ImportError as error:
            line = f"pip install {' '.join(self.packages)}"
            raise InputError(
                f"The metric {self.name} needs a package that is missing ({error.name}): {line}"
            ) from error
        return partial(function, **{part: _PARTS[part](choices) for part in self.parts})


def _aligned(name: str, score: Score) -> Score:
    def wrapped(reference: Clip, degraded: Clip) -> float:
        if abs(reference.seconds - degraded.seconds) > LENGTH_TOLERANCE:
            raise InputError(
                f"{degraded.item} lasts {degraded.seconds:.2f} s and its reference {reference.seconds:.2f} s; "
                f"{name} compares clips of the same length (within {LENGTH_TOLERANCE} s)."
            )
        return score(reference, degraded)

    return wrapped


_RECOGNISER = ("pocketsphinx==5.1.1", "jiwer==4.0.0")
_SPEAKER = ("resemblyzer==0.1.4", "setuptools==80.9.0")
_VISQOL = ("'visqol-python[lattice]==3.8.0'",)
_LIBROSA = ("librosa==0.11.0",)
_HEARD, _VOICES, _TAGS = ("recogniser",), ("encoder",), ("tagger",)

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("wer", "word error rate, 0 is perfect", "lower", "recognition:wer", _RECOGNISER, parts=_HEARD),
        Metric("cer", "character error rate, 0 is perfect", "lower", "recognition:cer", _RECOGNISER, parts=_HEARD),
        Metric(
            "speaker_similarity",
            "cosine of speaker embeddings (by default GE2E, Wan et al. 2018), -1 to 1",
            "higher",
            "speaker:speaker_similarity",
            _SPEAKER,
            parts=_VOICES,
        ),
        Metric(
            "pesq", "ITU-T P.862.2 wide band, MOS 1.04 to 4.64", "higher", "perceptual_pesq:pesq_wb", ("pesq==0.0.4",)
        ),
        Metric("stoi", "Taal et al. 2011, 0 to 1", "higher", "perceptual_stoi:stoi", ("pystoi==0.4.1",), aligned=True),
        Metric(
            "estoi", "Jensen and Taal 2016, 0 to 1", "higher", "perceptual_stoi:estoi", ("pystoi==0.4.1",), aligned=True
        ),
        Metric(
            "visqol",
            "ViSQOL v3, speech mode, MOS 1 to 5",
            "higher",
            "perceptual_visqol:visqol",
            _VISQOL,
        ),
        Metric(
            "visqol_audio", "ViSQOL v3, audio mode, MOS 1 to 5", "higher", "perceptual_visqol:visqol_audio", _VISQOL
        ),
        Metric("si_snr", "scale-invariant signal-to-noise ratio, dB", "higher", "signal:si_snr", aligned=True),
        Metric(
            "mel_distance",
            "mean difference of log-mel amplitudes, nepers",
            "lower",
            "signal:mel_distance",
            aligned=True,
        ),
        Metric("log_spectral_distance", "spectral distance, dB", "lower", "signal:log_spectral_distance", aligned=True),
        Metric(
            "ppx",
            "perplexity of what is heard under a language model (Lakhotia et al. 2021)",
            "lower",
            "perplexity:TranscriptPerplexity",
            _RECOGNISER,
            parts=("language_model", "recogniser"),
            kind="clips",
        ),
        Metric(
            "vert",
            "geometric mean of self-BLEU and auto-BLEU (Lakhotia et al. 2021), 0 to 1",
            "lower",
            "diversity:TranscriptDiversity",
            _RECOGNISER,
            parts=_HEARD,
            kind="clips",
        ),
        Metric(
            "abx",
            "share of phones taken for others (Schatz et al. 2013), chance is 0.5",
            "lower",
            "phone_items:PhoneDiscrimination",
            parts=("items", "features", "seed"),
            kind="clips",
        ),
        Metric(
            "speaker_diversity",
            "mean cosine of the voices of two clips (CALM, appendix C), -1 to 1",
            "lower",
            "speaker:SpeakerDiversity",
            _SPEAKER,
            parts=("encoder", "seed"),
            kind="clips",
        ),
        Metric(
            "dnsmos",
            "DNSMOS P.835, predicted MOS 1 to 5",
            "higher",
            "dnsmos:OpinionRows",
            ("onnxruntime==1.32.0",),
            parts=("network",),
            kind="clips",
        ),
        Metric(
            "utmos",
            "UTMOS (Saeki et al. 2022), predicted MOS 1 to 5",
            "higher",
            "utmos:OpinionRows",
            ("transformers==5.23.0",),
            parts=("predictor",),
            kind="clips",
        ),
        Metric(
            "fad",
            "Frechet audio distance (Kilgour et al. 2019), 0 is the same",
            "lower",
            "frechet:FrechetDistance",
            parts=("embedder", "seed"),
            kind="sets",
        ),
        Metric(
            "fad_infinity",
            "Frechet audio distance of endless clips (Gui et al. 2024)",
            "lower",
            "frechet:FrechetInfinity",
            parts=("embedder", "seed"),
            kind="sets",
        ),
        Metric(
            "kld",
            "divergence of tags from the reference's (Copet et al. 2023), nats",
            "lower",
            "tagging:kld",
            parts=_TAGS,
        ),
        Metric("kld_reverse", "the same the other way round, nats", "lower", "tagging:kld_reverse", parts=_TAGS),
        Metric(
            "clap_score",
            "cosine of clip and caption (Copet et al. 2023), -1 to 1",
            "higher",
            "clap_score:ClapScore",
            parts=("text_embedder", "seed"),
            kind="clips",
        ),
        Metric(
            "tempo_agreement",
            "share of clips with the tempo class of their caption, as librosa's onsets have it",
            "higher",
            "captioned:TempoAgreement",
            _LIBROSA,
            kind="clips",
        ),
        Metric(
            "key_agreement",
            "MIREX score of the key of the caption, by librosa's chroma, 0 to 1",
            "higher",
            "captioned:KeyAgreement",
            _LIBROSA,
            kind="clips",
        ),
        Metric(
            "attribute_agreement",
            "share of captions' genres, moods, tempi and instruments that a classifier hears",
            "higher",
            "captioned:AttributeAgreement",
            parts=("classifier",),
            kind="clips",
        ),
    )
}


def find_metric(name: str) -> Metric:
    """The metric of that name.

    Raises:
        InputError: There is none; the message lists all.
    """
    if name not in METRICS:
        raise InputError(f"There is no metric {name!r}; choose from {', '.join(METRICS)}.")
    return METRICS[name]
