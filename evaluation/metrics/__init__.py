"""A registry of metrics: each compares a degraded clip with its reference and returns one number.

`METRICS[name].load()` imports the module that computes it, so nothing heavy is imported before it is used.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from evaluation.clips import Clip
from evaluation.errors import InputError

Score = Callable[[Clip, Clip], float]

LENGTH_TOLERANCE = 0.1
"""Seconds by which the two clips of an aligned metric may differ in length; the longer one is cut."""


@dataclass(frozen=True)
class Metric:
    """One way to compare two clips.

    Attributes:
        name: Its name on the command line.
        describes: What it says, with unit and source.
        better: `higher` or `lower`.
        function: `module:function` below `evaluation.metrics`.
        packages: What it needs from the package index, as pip takes it.
        aligned: Whether it compares sample by sample or frame by frame, so that lengths must agree.
    """

    name: str
    describes: str
    better: str
    function: str
    packages: tuple[str, ...] = ()
    aligned: bool = False

    def load(self) -> Score:
        """The function that computes it.

        Raises:
            InputError: A package that it needs is not installed.
        """
        module, function = self.function.split(":")
        try:
            score = getattr(importlib.import_module(f"evaluation.metrics.{module}"), function)
        except ImportError as error:
            line = f"pip install {' '.join(self.packages)}"
            raise InputError(
                f"The metric {self.name} needs a package that is missing ({error.name}): {line}"
            ) from error
        return _aligned(self.name, score) if self.aligned else score


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

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("wer", "word error rate of pocketsphinx, 0 is perfect", "lower", "recognition:wer", _RECOGNISER),
        Metric("cer", "character error rate of pocketsphinx, 0 is perfect", "lower", "recognition:cer", _RECOGNISER),
        Metric(
            "speaker_similarity",
            "cosine of resemblyzer's GE2E embeddings (Wan et al. 2018), -1 to 1",
            "higher",
            "speaker:speaker_similarity",
            ("resemblyzer==0.1.4",),
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
            ("'visqol-python[lattice]==3.8.0'",),
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
