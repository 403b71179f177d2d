"""Text to speech: the ablation of appendix E.5 of CALM, and the student of appendix F beside its teacher."""

from dataclasses import dataclass

import numpy as np

from evaluation.bundled import intelligibility
from evaluation.bundled.engine import Speed, Variant, median_speed
from evaluation.bundled.sentences import read_sentences
from evaluation.reproduction.cache import Cache
from evaluation.reproduction.orders import Order, paired_difference
from evaluation.reproduction.section import Section, Settings, show, sums, total

_GUIDED = 1.5  # the paper's, by the text alone
LSD, PLAIN, CONSISTENCY, STUDENT = "LSD, cfg 1.5", "LSD, no cfg", "consistency, cfg 1.5", "student"

# Table 10 (appendix E.5): WER, CER and similarity. Table 12: the WER of Pocket TTS beside that of its teacher.
_PAPER = {
    LSD: (1.81, 0.57, 0.52), PLAIN: (2.39, 0.90, 0.52), CONSISTENCY: (1.93, 0.62, 0.40), STUDENT: (1.84, None, None),
}  # fmt: skip
_CLAIMS = ((LSD, PLAIN, "E.5"), (LSD, CONSISTENCY, "E.5"), (LSD, STUDENT, "tables 3 and 12"))


@dataclass(frozen=True)
class Said:
    """One sentence of one system with one seed."""

    system: str
    sentence: int
    seed: int
    wrong: int
    words: int
    wrong_characters: int
    characters: int
    similarity: float
    real_time_factor: float | None
    frame_ms: float | None


def measure(settings: Settings, seed: int) -> list[Said]:
    """The four systems and their ceilings on the same sentences, in the bundled voices in turn."""
    asked = intelligibility.Settings(
        read_sentences(limit=settings.sentences),
        models=(
            Variant(LSD, settings.teacher, cfg=_GUIDED), Variant(PLAIN, settings.teacher, cfg=1.0),
            Variant(CONSISTENCY, settings.consistency, cfg=_GUIDED), Variant(STUDENT, settings.student, cfg=1.0),
        ),
        codec=settings.codecs[0], seed=seed, processes=settings.processes, similarity=True,
    )  # fmt: skip
    counted: dict[str, int] = {}
    rows = []
    for row in intelligibility.measure(asked):
        number = counted[row.system] = counted.get(row.system, -1) + 1
        speed = row.speed or (None, None)
        alike = 1.0 if row.similarity is None else row.similarity
        rows.append(Said(row.system, number, seed, *row.word_errors, *row.character_errors, alike, *speed))
    return rows


def speaking(settings: Settings, cache: Cache) -> Section:
    """Appendix E.5 and F: LSD against consistency, guidance on and off, student against teacher."""
    rows: list[Said] = []
    for seed in settings.seeds:
        kept = {name: getattr(settings, name) for name in ("sentences", "teacher", "student", "consistency")}
        kept |= {"codec": settings.codecs[0], "seed": seed}
        rows += [Said(**row) for row in cache.rows("speaking", kept, lambda seed=seed: measure(settings, seed))]
    by_system = {name: [row for row in rows if row.system == name] for name in dict.fromkeys(r.system for r in rows)}
    figures = {
        "WER": (lambda row: (100.0 * row.wrong, float(row.words)), False),
        "CER": (lambda row: (100.0 * row.wrong_characters, float(row.characters)), False),
        "speaker similarity": (lambda row: (row.similarity, 1.0), True),
    }
    table = []
    for name, members in by_system.items():
        line: dict[str, object] = {"system": name, "clips": len(members)}
        line |= {figure: total(sums(members, "sentence", values)) for figure, (values, _) in figures.items()}
        speeds = [
            Speed(row.real_time_factor, row.frame_ms)
            for row in members
            if row.real_time_factor is not None and row.frame_ms is not None
        ]
        table.append(line | {k: "-" if v is None else v for k, v in median_speed(speeds).items()})
    orders = []
    for better, worse, source in _CLAIMS:
        for place, (figure, (values, higher)) in enumerate(figures.items()):
            one, other = (sums(by_system[name], "sentence", values) for name in (better, worse))
            found = paired_difference(one, other, np.random.default_rng(0), higher_is_better=higher)
            claimed = (_PAPER[better][place], _PAPER[worse][place])
            orders.append(Order(better, worse, figure, source, claimed, (total(one), total(other)), found))
    text = (
        f"{settings.sentences} held-out sentences in the bundled voices in turn, seeds "
        f"{', '.join(map(str, settings.seeds))}, transcripts by pocketsphinx. Similarity is the cosine of resemblyzer's"
        " embeddings to the source voice reading the same sentence. Systems take turns, sentence by sentence, so that "
        "their speeds compare. In the paper's tables the student is the released Pocket TTS.\n\n" + show(table)
    )
    return Section("Text to speech (appendices E.5 and F)", text, orders)
