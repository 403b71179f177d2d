"""What a study must keep to beyond the types of its fields, and what the standards advise.

Sources: ITU-R BS.1534-3 (10/2015), ITU-T P.800 and P.808 (2021).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from app.studies.faults import Place

if TYPE_CHECKING:
    from app.studies.schema import Prompt, Study, Text

MAX_SIGNALS = 12  # of a MUSHRA trial, hidden reference and anchors included
Finding = tuple[Place, str]
OWN_PAGES = ("arena",)  # slugs of studies that have a page of their own: nobody joins, copies or uploads them

# ------------------------------------------------------------------------------------- single values


def check_slug(value: str) -> str:
    """Lower-case letters, digits and single hyphens, as an address of a page has them."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
        raise ValueError("use lower-case letters, digits and single hyphens, such as my-study-2")
    return value


def check_name(value: str) -> str:
    """Letters, digits, dots, hyphens and underscores, so that it fits into paths and tables."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value) or ".." in value:
        raise ValueError("use letters, digits, dots, hyphens and underscores, beginning with a letter or digit")
    return value


def check_text(value: str) -> str:
    """No control characters but line breaks, and something to see."""
    if not value.strip():
        raise ValueError("write some text")
    if any(unicodedata.category(character) in ("Cc", "Cs") and character != "\n" for character in value):
        raise ValueError("leave out control characters")
    return value


def check_path(value: str) -> str:
    """A path that stays inside the study's folder."""
    parts = value.split("/")
    if value.startswith("/") or "\\" in value or "\0" in value or ".." in parts or re.match(r"[A-Za-z]:", value):
        raise ValueError("give a path inside the study's folder, with forward slashes and without `..`")
    unknown = set(re.findall(r"\{([^{}]*)\}", value)) - {"system", "prompt"}
    if unknown or re.sub(r"\{(system|prompt)\}", "", value).count("{"):
        raise ValueError("a pattern knows {system} and {prompt} only")
    return value


def check_moment(value: datetime) -> datetime:
    """A moment with its time zone."""
    if value.tzinfo is None:
        raise ValueError("add the time zone, such as 2026-12-01T09:00:00+01:00")
    return value


def check_redirect(value: str) -> str:
    """An address on the web; anything else could run as a script."""
    parts = urlsplit(value)
    if parts.scheme != "https" or not parts.hostname or parts.username or re.search(r"[\s<>\"']", value):
        raise ValueError("give an https:// address")
    return value


def sentence(kind: str, message: str, context: Mapping[str, Any], loc: Place) -> str:
    """One of pydantic's findings as a sentence that says what to write."""
    match kind:
        case "missing":
            return "this key is needed and missing; add it."
        case "extra_forbidden":
            return f"there is no key {str(loc[-1])!r} here; check its spelling."
        case "literal_error":
            return f"this must be one of {context['expected']}."
        case "value_error":
            return f"{message.removeprefix('Value error, ')}."
        case "string_type":
            return "this must be text; put it in quotes."
        case "model_type" | "model_attributes_type":
            return "this must be a mapping, such as {en: Good, fr: Bon} for a text."
    return f"{message[:1].lower()}{message[1:].rstrip('.')}."


# --------------------------------------------------------------------------------- the study as a whole


def broken(study: Study) -> Iterator[Finding]:
    """Every rule that a study with well-formed fields breaks."""
    yield from _texts(study)
    yield from _names(study)
    yield from _roles(study)
    yield from _pairs(study)
    for number, prompt in enumerate(study.prompts):
        yield from _prompt(study, prompt, ("prompts", number))
    yield from _files(study)
    yield from _amounts(study)
    yield from _questions(study)


def _texts(study: Study) -> Iterator[Finding]:
    """Every text is there in every language of the study."""
    places: list[tuple[Place, Text | None]] = [
        (("title",), study.title), (("question",), study.question), (("information",), study.information),
        *((("prompts", n, "feedback"), prompt.feedback) for n, prompt in enumerate(study.prompts)),
    ]  # fmt: skip
    for number, attribute in enumerate(study.attributes):
        places.append((("attributes", number, "question"), attribute.question))
        places += [(("attributes", number, "labels", n), label) for n, label in enumerate(attribute.labels or [])]
    for number, question in enumerate(study.questionnaire):
        places.append((("questionnaire", number, "label"), question.label))
        for n, choice in enumerate(question.choices or []):
            places.append((("questionnaire", number, "choices", n, "label"), choice.label))
    for place, text in places:
        for language in study.languages:
            if text is not None and getattr(text, language) is None:
                yield place, f"the text in {language!r} is missing; add it, or leave {language!r} out of `languages`."


def _twice(place: Place, names: list[str]) -> Iterator[Finding]:
    seen: set[str] = set()
    for number, name in enumerate(names):
        # lower case: two systems whose folders differ in case only are one folder on some disks
        if name.lower() in seen:
            yield (*place, number), f"{name!r} is there twice; give each its own name."
        seen.add(name.lower())


def _names(study: Study) -> Iterator[Finding]:
    yield from _twice(("systems",), [system.name for system in study.all_systems()])
    yield from _twice(("prompts",), [prompt.name for prompt in study.prompts])
    yield from _twice(("attributes",), [attribute.name for attribute in study.attributes])
    yield from _twice(("questionnaire",), [question.name for question in study.questionnaire])
    yield from _twice(("anchors",), list(study.anchors))
    yield from _twice(("languages",), list(study.languages))
    for number, system in enumerate(study.systems):
        if system.name == "tie":
            yield ("systems", number, "name"), "'tie' is a possible outcome and cannot be a system."


def _roles(study: Study) -> Iterator[Finding]:
    roles = Counter(system.role for system in study.all_systems())
    for role in ("reference", "anchor_low", "anchor_mid"):
        if roles[role] > 1:
            yield ("systems",), f"{roles[role]} systems have the role {role}; there can be one."
    if not roles["reference"]:
        if study.kind == "mushra":
            yield ("systems",), "MUSHRA needs a reference: give one system `role: reference`."
        elif study.reference:
            yield ("reference",), "no system has `role: reference`, so no reference can be given."
        if study.anchors:
            yield ("anchors",), "anchors are made from the reference: give one system `role: reference`."
    if study.kind == "mushra":
        if len(study.attributes) > 1:
            yield ("attributes", 1), "MUSHRA has one scale a trial; make one study for each attribute."
        if study.attributes and study.attributes[0].labels is not None and len(study.attributes[0].labels) != 5:
            yield ("attributes", 0, "labels"), "the MUSHRA scale has five bands; give five labels, or none."
        if not roles["system"]:
            yield ("systems",), "there is nothing to test beside the reference; add a system."
        for number, prompt in enumerate(study.prompts):
            if len(study.rated_of(prompt)) > MAX_SIGNALS:
                yield (
                    ("prompts", number),
                    f"a trial would have {len(study.rated_of(prompt))} signals with hidden reference and anchors and "
                    f"BS.1534-3 allows {MAX_SIGNALS}; split the systems over two studies or name some under `systems`.",
                )
                break


def _pairs(study: Study) -> Iterator[Finding]:
    if study.kind != "pairwise":
        for key, used in (("pairs", study.pairs is not None), ("ties", study.ties)):
            if used:
                yield (key,), f"only a pairwise study has {key}; leave it out."
        return
    rated = study.rated()
    if len(rated) < 2:
        yield ("systems",), "a comparison needs two systems to compare beside the given reference."
    for number, attribute in enumerate(study.attributes):
        if attribute.labels is not None:
            yield ("attributes", number, "labels"), "an answer is A, B or a tie; leave the labels out."
    seen = set()
    for number, pair in enumerate(study.pairs or []):
        if unknown := [name for name in pair if name not in rated]:
            yield ("pairs", number), f"{unknown[0]!r} is not a system that is compared; the systems are {_list(rated)}."
        elif pair[0] == pair[1]:
            yield ("pairs", number), "a system cannot be compared with itself."
        elif frozenset(pair) in seen:
            yield ("pairs", number), "this pair is there twice; keep one."
        seen.add(frozenset(pair))


def _prompt(study: Study, prompt: Prompt, place: Place) -> Iterator[Finding]:
    rated = study.rated()
    if unknown := [name for name in prompt.systems or [] if name not in rated]:
        yield (*place, "systems"), f"{unknown[0]!r} is not a system of this study; the systems are {_list(rated)}."
        return
    heard = study.rated_of(prompt)
    if study.kind == "pairwise" and (len(heard) < 2 or (prompt.phase in ("trap", "gold") and len(heard) != 2)):
        yield (*place, "systems"), "a comparison needs two systems; name both."
    expected = prompt.expected
    if expected is None:
        if prompt.phase in ("trap", "gold"):
            yield place, f"a {prompt.phase} item needs `expected`, the right answer."
        return
    if prompt.phase == "main":
        yield (*place, "expected"), "only training, trap and gold items have a right answer."
    if study.kind == "pairwise":
        if expected.scores is not None or expected.winner is None:
            yield (*place, "expected"), "a comparison expects `winner`: a system or tie."
        elif expected.winner == "tie" and not study.ties:
            yield (*place, "expected", "winner"), "ties are not allowed in this study; set `ties: true`."
        elif expected.winner not in (*heard, "tie"):
            yield (*place, "expected", "winner"), f"the winner must be one of {_list(heard)}."
        return
    if expected.winner is not None or not expected.scores:
        yield (*place, "expected"), "a rating expects `scores`, such as {codec: [4, 5]}."
        return
    low, high = (0, 100) if study.kind == "mushra" else (1, min(len(one.labels or ()) for one in study.judged()))
    for name, (lowest, highest) in expected.scores.items():  # a Range has two values
        if name not in heard:
            yield (
                (*place, "expected", "scores", name),
                f"{name!r} does not play this prompt; those that do: {_list(heard)}.",
            )
        elif not low <= lowest <= highest <= high:
            yield (
                (*place, "expected", "scores", name),
                f"give the lowest and highest right score, from {low} to {high}.",
            )
    if study.kind == "mos" and prompt.phase != "training" and (missing := set(heard) - set(expected.scores)):
        yield (*place, "expected", "scores"), f"scores of {_list(sorted(missing))} are missing; or name fewer systems."


def _files(study: Study) -> Iterator[Finding]:
    prompts = [prompt.name for prompt in study.prompts]
    for number, system in enumerate(study.systems):
        place: Place = ("systems", number, "files")
        if isinstance(system.files, dict):
            needed = [prompt.name for one, prompt in _needed(study) if one == system.name]
            for name in [name for name in needed if name not in system.files][:5]:
                yield place, f"the prompt {name!r} has no file; add its path, or name its systems."
            for name in [name for name in system.files if name not in prompts][:5]:
                yield (*place, name), f"there is no prompt {name!r}."
        elif len(prompts) > 1 and "{prompt}" not in (system.files or study.files):
            yield place if system.files else ("files",), "the pattern lacks {prompt}, so all prompts would sound alike."
    shared = [system for system in study.systems if system.files is None]
    if len(shared) > 1 and "{system}" not in study.files:
        yield ("files",), "the pattern lacks {system}, so all systems would sound alike."


def _needed(study: Study) -> Iterator[tuple[str, Prompt]]:
    """Which system needs a file for which prompt, without asking for the path."""
    always = {study.reference_name()} if study.reference or study.anchors or study.kind == "mushra" else set()
    for prompt in study.prompts:
        for name in {*study.rated_of(prompt), *always}:
            if name is not None:
                yield name, prompt


def _amounts(study: Study) -> Iterator[Finding]:
    phases = Counter(prompt.phase for prompt in study.prompts)
    if not phases["main"]:
        yield ("prompts",), "no prompt has `phase: main`, so nothing would be rated."
    elif study.items_per_session > phases["main"]:
        yield (
            ("items_per_session",),
            f"a session of {study.items_per_session} items would repeat prompts, of which there are {phases['main']}; "
            "lower it or add prompts.",
        )
    for key, phase in (("training", "training"), ("traps", "trap"), ("gold", "gold")):
        wanted = getattr(study, key)
        if wanted is not None and wanted > phases[phase]:
            yield (key,), f"{wanted} are asked for and {phases[phase]} prompts have `phase: {phase}`."
    if study.opens_at and study.closes_at and study.opens_at >= study.closes_at:
        yield ("closes_at",), "the study would close before it opens."
    if (study.completion.kind == "fixed") != (study.completion.code is not None):
        yield ("completion",), "`code` belongs to `kind: fixed`, and that needs it."


def _questions(study: Study) -> Iterator[Finding]:
    for number, question in enumerate(study.questionnaire):
        place: Place = ("questionnaire", number)
        if (question.kind == "choice") != (question.choices is not None):
            yield place, "`choices` belong to `kind: choice`, and that needs them."
        yield from _twice((*place, "choices"), [choice.value for choice in question.choices or []])
        limits = [limit for limit in (question.minimum, question.maximum) if limit is not None]
        if limits and question.kind != "number":
            yield place, "only a number has `minimum` and `maximum`."
        if len(limits) == 2 and limits[0] > limits[1]:
            yield place, "`minimum` is above `maximum`."


def _list(names: list[str]) -> str:
    return ", ".join(names[:12]) + (" ..." if len(names) > 12 else "")


def advice(study: Study) -> Iterator[str]:
    """What the standards would do differently, though the study can run."""
    main = [prompt for prompt in study.prompts if prompt.phase == "main"]
    tested = sum(system.role == "system" for system in study.systems)
    if study.kind == "mushra":
        wanted = max(5, -(-3 * tested // 2))
        if len(main) < wanted:
            yield f"BS.1534-3 asks for at least {wanted} excerpts with {tested} systems; there are {len(main)}."
        missing = {"anchor_low", "anchor_mid"} - {system.role for system in study.all_systems()}
        if missing:
            yield "BS.1534-3 asks for both anchors; add `anchors: [low, mid]`."
    if not study.served("training"):
        yield "Training comes before rating in BS.1534-3 and P.808; give some prompts `phase: training`."
    if study.kind == "mos" and study.ratings_wanted < 8:
        yield f"P.808 asks for at least 8 ratings a stimulus; ratings_wanted is {study.ratings_wanted}."
    if study.kind != "mushra" and not (study.served("trap") and study.served("gold")):
        yield "P.808 has one trap and one gold item in a session; give prompts `phase: trap` and `phase: gold`."
    if study.headphone_check == "none":
        yield "Nothing checks that listeners wear headphones; set `headphone_check: woods` or `huggins`."
    if study.loudness_lufs is None:
        yield "Loudness is left as it is; louder systems tend to win. Set `loudness_lufs`."
    names = set(chain.from_iterable(study.compared())) if study.kind == "pairwise" else set(study.rated())
    names.update(chain.from_iterable(prompt.systems or () for prompt in study.prompts))
    if unused := [name for name in study.rated() if name not in names]:
        yield f"No pair holds {_list(unused)}."
