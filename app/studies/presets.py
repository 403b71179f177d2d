"""Studies ready to fill: the five listening tests of the CALM paper (App. G), and MUSHRA after BS.1534-3.

In the paper's tests clips last 30 s with a prompt of 3 s, a listener hears at least 10 s of each, 50 samples of each
method are judged by 50 raters, 10 samples each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from app.errors import UserError
from app.studies.faults import refuse
from app.studies.schema import FILE_NAME, parse_study
from app.studies.sounds import ENDINGS

_PAPER_SAMPLES, _PAPER_RATINGS = 50, 10  # 50 raters of 10 samples each rate each of 50 samples 10 times


def _text(en: str, fr: str) -> dict[str, str]:
    return {"en": en, "fr": fr}


@dataclass(frozen=True)
class Preset:
    """A protocol.

    Attributes:
        about: One sentence.
        values: Of the study, beside systems and prompts.
        systems: Names that stand in until there are real ones.
        reference: Name of the reference, for protocols that need one.
    """

    about: str
    values: dict[str, Any]
    systems: tuple[str, ...] = ("model-a", "model-b")
    reference: str | None = None
    prompts: int = _PAPER_SAMPLES
    title: dict[str, str] = field(default_factory=dict)


_LISTEN = {"minimum_seconds": 10.0, "items_per_session": 10}
_PAIR = {"kind": "pairwise", "ties": True, **_LISTEN, "ratings_wanted": _PAPER_RATINGS, "headphone_check": "woods"}
_OPINION = {"kind": "mos", **_LISTEN, "ratings_wanted": _PAPER_RATINGS, "headphone_check": "woods"}

PRESETS: dict[str, Preset] = {
    "acoustic-quality": Preset(
        "Speech acoustic quality: one clip, five points from bad to excellent (CALM, App. G).",
        {
            **_OPINION,
            "question": _text(
                "How good is the sound of this recording? Judge noise, clarity and naturalness, not what is said.",
                "Quelle est la qualité sonore de cet enregistrement ? Jugez le bruit, la clarté et le naturel du son, "
                "pas ce qui est dit.",
            ),
        },
        title=_text("Acoustic quality of speech", "Qualité acoustique de la parole"),
    ),
    "meaningfulness": Preset(
        "Meaningfulness of speech: two clips that continue the same prompt, ties possible (CALM, App. G).",
        {
            **_PAIR,
            "question": _text(
                "Both clips begin with the same three seconds. Which one goes on more meaningfully?",
                "Les deux extraits commencent par les mêmes trois secondes. Lequel a la suite la plus sensée ?",
            ),
        },
        title=_text("Meaningfulness of speech", "Sens de la parole"),
    ),
    "music-quality": Preset(
        "Music acoustic quality: one clip, five points from bad to excellent (CALM, App. G).",
        {
            **_OPINION,
            "question": _text(
                "How good is the sound of this music? Judge noise, clarity and distortion, not the piece itself.",
                "Quelle est la qualité sonore de cette musique ? Jugez le bruit, la clarté et la distorsion, "
                "pas le morceau lui-même.",
            ),
        },
        title=_text("Acoustic quality of music", "Qualité acoustique de la musique"),
    ),
    "enjoyment": Preset(
        "Enjoyment of music: two clips that continue the same prompt, ties possible (CALM, App. G).",
        {
            **_PAIR,
            "question": _text(
                "Both clips begin with the same three seconds. Which one do you enjoy more?",
                "Les deux extraits commencent par les mêmes trois secondes. Lequel vous plaît le plus ?",
            ),
        },
        title=_text("Enjoyment of music", "Plaisir d'écoute de la musique"),
    ),
    "speaker-similarity": Preset(
        "Speaker similarity: two clips beside a recording of the speaker, ties possible (CALM, App. G).",
        {
            **_PAIR,
            "minimum_seconds": 3.0,
            "reference": True,
            "question": _text(
                "Which voice is more like the voice of the reference? Judge the speaker, not the quality of the sound.",
                "Quelle voix ressemble le plus à celle de la référence ? Jugez la personne qui parle, "
                "pas la qualité du son.",
            ),
        },
        reference="speaker",
        title=_text("Similarity of the speaker", "Ressemblance de la voix"),
    ),
    "mushra": Preset(
        "MUSHRA after ITU-R BS.1534-3: hidden reference, anchors at 3.5 and 7 kHz made by the server, 0 to 100.",
        {
            "kind": "mushra",
            "anchors": ["low", "mid"],
            "minimum_seconds": 0.0,
            "items_per_session": 8,
            "ratings_wanted": 20,
            "headphone_check": "huggins",
            "question": _text(
                "How good is each recording beside the reference? One of them is the reference itself.",
                "Quelle est la qualité de chaque enregistrement par rapport à la référence ? "
                "L'un d'eux est la référence elle-même.",
            ),
        },
        reference="reference",
        prompts=8,
        title=_text("Audio quality beside a reference", "Qualité audio par rapport à une référence"),
    ),
}  # fmt: skip

QUESTIONNAIRE = [
    {
        "name": "device",
        "kind": "choice",
        "required": True,
        "label": _text("What did you listen with?", "Avec quoi avez-vous écouté ?"),
        "choices": [
            {"value": "over-ear", "label": _text("Headphones", "Un casque")},
            {"value": "in-ear", "label": _text("Earphones", "Des écouteurs")},
            {"value": "speakers", "label": _text("Loudspeakers", "Des haut-parleurs")},
        ],
    },
    {
        "name": "remarks",
        "kind": "long_text",
        "label": _text("Is there anything that we should know?", "Y a-t-il quelque chose que nous devrions savoir ?"),
    },
]


def preset_text(
    name: str,
    slug: str | None = None,
    *,
    systems: Sequence[str] = (),
    prompts: Sequence[str] = (),
    ending: str = ".flac",
) -> str:
    """The YAML of a protocol, a study that is in order.

    Args:
        name: Of the protocol.
        slug: Of the study; the protocol's name by default.
        systems: Names; the reference's is taken out of them where the protocol needs one. Stand-ins by default.
        prompts: Names; as many as the protocol asks for by default.
        ending: Of the sound files.

    Raises:
        UserError: There is no such protocol.
        StudyFileError: The names break a rule of studies.
    """
    if name not in PRESETS:
        raise UserError(f"There is no protocol {name[:40]!r}; there are {', '.join(PRESETS)}.", code="unknown_preset")
    preset = PRESETS[name]
    listed: list[dict[str, Any]] = []
    if preset.reference:
        listed.append({"name": preset.reference, "role": "reference"})
    listed += [{"name": one} for one in (systems or preset.systems) if one != preset.reference]
    # two items to learn on: beside the protocol's own, or taken from what is there when there are enough
    items = list(prompts) or ["t1", "t2", *(f"p{number:02d}" for number in range(1, preset.prompts + 1))]
    learned = min(2, max(0, len(items) - 3))
    values = dict(preset.values)
    values["items_per_session"] = min(values["items_per_session"], len(items) - learned)
    study = {
        "slug": slug or name,
        "title": preset.title,
        "kind": values.pop("kind"),
        "question": values.pop("question"),
        "files": "audio/{system}/{prompt}" + ending,
        **values,
        "loudness_lufs": -23.0,
        "completion": {"kind": "derived"},
        "questionnaire": QUESTIONNAIRE,
        "systems": listed,
        "prompts": [
            {"name": one, "phase": "training"} if at < learned else {"name": one} for at, one in enumerate(items)
        ],
    }
    text = f"# {preset.about}\n" + yaml.dump(study, Dumper=_Plain, allow_unicode=True, sort_keys=False, width=110)
    parse_study(text)
    return text


class _Plain(yaml.SafeDumper):
    """Writes a value that is used twice out twice: studies know no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def found_names(folder: Path) -> tuple[list[str], list[str], str]:
    """Systems, prompts and ending of sounds that already lie in `audio/SYSTEM/PROMPT.ENDING`; empty lists if none do.

    Raises:
        StudyFileError: The systems have not the same prompts, or their files have several endings.
    """
    audio = folder / "audio"
    systems = sorted(path.name for path in audio.iterdir() if path.is_dir()) if audio.is_dir() else []
    files = {one: [path for path in (audio / one).iterdir() if path.suffix.lower() in ENDINGS] for one in systems}
    systems = [one for one in systems if files[one]]
    if not systems:
        return [], [], ".flac"
    names = {one: sorted(path.stem for path in files[one]) for one in systems}
    for one in systems[1:]:
        if differing := set(names[one]) ^ set(names[systems[0]]):
            told = ", ".join(sorted(differing)[:5])
            raise refuse("audio", f"{systems[0]} and {one} have not the same prompts ({told}); complete them.")
    endings = {path.suffix for one in systems for path in files[one]}
    if len(endings) > 1:
        raise refuse("audio", f"files end in {', '.join(sorted(endings))}; bring them to one kind.")
    return systems, names[systems[0]], endings.pop()


def write_preset(name: str, folder: Path, slug: str | None = None) -> Path:
    """Write `study.yaml` for a protocol into a folder, for the sounds that lie in its `audio`, if any do.

    Raises:
        UserError: There is no such protocol, the folder has a study already, or it cannot be written.
    """
    path = folder / FILE_NAME
    if path.exists():
        raise UserError(f"There is a study in {folder} already; choose another folder.", code="exists")
    systems, prompts, ending = found_names(folder)
    text = preset_text(name, slug, systems=systems, prompts=prompts, ending=ending)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}).", code="unwritable") from None
    return path
