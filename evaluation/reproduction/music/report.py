"""Music: tables 4 to 11 and figure 3 of CALM, redone at our scale."""

from collections.abc import Callable

from evaluation.reproduction.music.captions import agreement, of_captions, of_sounds
from evaluation.reproduction.music.codecs import codecs
from evaluation.reproduction.music.continuation import ablations, continuations, multiplier, scale, short_context
from evaluation.reproduction.music.desk import Desk
from evaluation.reproduction.music.speed import speed, steps
from evaluation.reproduction.music.stability import stability
from evaluation.reproduction.section import Section

SECTIONS: dict[str, Callable[[Desk], Section]] = {
    "continuations": continuations,
    "ablations": ablations,
    "sounds": of_sounds,
    "codecs": codecs,
    "short-context": short_context,
    "steps": steps,
    "scale": scale,
    "captions": of_captions,
    "multiplier": multiplier,
    "stability": stability,
    "agreement": agreement,
    "speed": speed,
}
INTRODUCTION = """# Music, redone

Made by `python -m evaluation reproduce music`. The models are a hundred times smaller than the paper's and were
trained on nine to twenty-two hours of music that a program composed, so no figure can equal the paper's; what can be
compared is which system is better. FAD is the Fréchet distance of embeddings of our own CLAP unless another embedder
is named, the paper's that of VGGish, on other music: its values are on another scale. Systems that go on from the
same prompts are drawn together, prompt by prompt, with all their seeds: the 95 % bootstrap interval of a difference
is positive where it supports the claim. An order is *reproduced* where it lies above zero, *the other way round*
where it lies below, else *undecided*. Seeds are those of generation; each model was trained once, for as long as its
card says. Measurements are kept in `evaluation/reports/music`, so that the report holds systems that were measured at
different times."""
