"""Speech: tables 1 and 2, figure 2 and the text-to-speech ablation (appendix E.5, F) of CALM, redone at our scale."""

from collections.abc import Callable

from evaluation.reproduction.cache import Cache
from evaluation.reproduction.codecs import codecs
from evaluation.reproduction.continuations import continuations, stability, voices, well_known
from evaluation.reproduction.section import Section, Settings
from evaluation.reproduction.speaking import speaking

SECTIONS: dict[str, Callable[[Settings, Cache], Section]] = {
    "codecs": codecs,
    "continuations": continuations,
    "well-known": well_known,
    "stability": stability,
    "voices": voices,
    "speaking": speaking,
}
INTRODUCTION = """# Speech, redone

Made by `python -m evaluation reproduce speech`. The models are a few hundred times smaller than the paper's and were
trained on synthetic stories, so no figure can equal the paper's; what can be compared is which system is better. A
difference is taken over the same prompts or sentences, with a 95 % bootstrap interval over them (VERT: the range over
the seeds); it is positive where it supports the claim. An order is *reproduced* where the interval lies above zero,
*the other way round* where it lies below, else *undecided*. Seeds are those of generation; each model was trained
once, for as long as its card says."""
