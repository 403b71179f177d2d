"""webMUSHRA's YAML configurations as studies, with a report of what was taken over and what could not be.

One configuration may mix kinds of pages, which are tests of their own here: pages of one kind, scale and set of anchors
become one study, each page one prompt, each condition one system. Facts about the format are from webMUSHRA's guide for
experimenters (doc/experimenter.md in github.com/audiolabs/webMUSHRA).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from app.studies.faults import StudyFileError, refuse
from app.studies.lines import read_yaml
from app.studies.schema import parse_study
from app.studies.webmushra_questions import questions

REFERENCE = "reference"
_TRIALS = {
    "mushra": "mushra",
    "bs1116": "mushra",
    "paired_comparison": "pairwise",
    "likert_single_stimulus": "mos",
    "likert_multi_stimulus": "mos",
}
# keys of the whole configuration and of pages that have no place here, and why
_SETTLED = {
    "bufferSize": "the player has no buffer to set",
    "stopOnErrors": "a study that has faults does not start at all",
    "showButtonPreviousPage": "an answer is final; nobody goes back",
    "remoteService": "every answer is stored by this server at once",
    "showResults": "results are not shown to participants",
    "writeResults": "results are always stored",
    "showErrors": "errors are always told",
    "popupContent": "the last page has its own words",
    "showWaveform": "the player always shows it",
    "enableLooping": "loops are always possible",
    "strict": "BS.1534-3 is always kept to",
    "switchBack": "switching always goes on at the same place, as BS.1534-3 wants it",
    "randomize": "the order is always drawn anew, and balanced",
    "showConditionNames": "names of systems are never shown",
    "mustRate": "every item has to be rated",
    "maxStimuli": "set items_per_session for how many a listener rates",
}


@dataclass
class Report:
    """What became of a configuration, in sentences.

    Attributes:
        mapped: What was taken over, and as what.
        changed: What is done differently here.
        lost: What has no counterpart and is left out.
    """

    mapped: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The report, one sentence a line."""
        titles = (("taken over", self.mapped), ("different here", self.changed), ("left out", self.lost))
        return [f"{title}: {one}" for title, all_ in titles for one in dict.fromkeys(all_)]


@dataclass(frozen=True)
class Imported:
    """A study made of a configuration.

    Attributes:
        slug: Of the study.
        text: Its YAML, in order but for the sounds, which are not looked at.
        files: Paths of its sounds, relative to webMUSHRA's root folder and to the study's folder alike.
    """

    slug: str
    text: str
    files: list[str]


def import_config(text: str, name: str = "webmushra.yaml") -> tuple[list[Imported], Report]:
    """The studies that a configuration holds.

    Args:
        text: The configuration.
        name: What to call it in errors.

    Raises:
        StudyFileError: It is no configuration of webMUSHRA, or has no page that can become a trial.
    """
    report = Report()
    values = _read(text, name, report)
    if not isinstance(values.get("pages"), list):
        raise refuse(name, "a configuration of webMUSHRA has `pages`; this has none.")
    for key in values:
        if key in _SETTLED:
            report.changed.append(f"{key}: {_SETTLED[key]}.")
        elif key not in ("testname", "testId", "pages", "language"):
            report.lost.append(f"{key} is not known.")
    language = _language(values.get("language"), report)
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    information: list[str] = []
    asked: list[dict[str, Any]] = []
    for page in _pages(values["pages"], report):
        kind, label = str(page.get("type")), _label(page)
        if kind in _TRIALS:
            for key in page:
                if key in _SETTLED:
                    report.changed.append(f"{key}: {_SETTLED[key]}.")
            groups.setdefault(_group(page, kind), []).append(page)
        elif kind in ("generic", "consent"):
            information.append(_plain(page.get("content")))
            report.mapped.append(f"{label} is part of the text that asks for consent, without its markup.")
        elif kind == "volume":
            report.changed.append(f"{label}: every session begins with a volume setting of its own.")
        elif kind == "finish":
            asked += questions(page.get("questionnaire") or [], language, report.mapped, report.lost)
            report.changed.append(f"{label}: the last page thanks in its own words and gives a completion code.")
        else:
            report.lost.append(f"{label}: there is no test of the type {kind!r} here.")
    made = []
    base = _name(str(values.get("testId") or values.get("testname") or "imported")).lower().replace("_", "-")
    title = str(values.get("testname") or base)
    for number, (group, pages) in enumerate(groups.items()):
        slug = re.sub(r"[^a-z0-9]+", "-", base).strip("-") or "imported"
        slug = (slug[:50] + (f"-{number + 1}" if len(groups) > 1 else "")).strip("-")
        study = _study(slug, title, group, pages, language, report)
        study["information"] = _information(information, language)
        study["questionnaire"] = asked
        made += _checked(study, pages, report)
    if not made:
        reasons = dict.fromkeys(one.rstrip(".") for one in report.lost)
        told = "; ".join(list(reasons)[:3]) or "there are only texts"
        raise refuse(name, f"no page can become a trial ({told}).")
    return made, report


def _read(text: str, name: str, report: Report) -> dict[str, Any]:
    """Parse a configuration; plain values with a colon inside, which YAML forbids and webMUSHRA reads, get quotes."""
    try:
        return read_yaml(text, name)[0]
    except StudyFileError as strict:
        quoted, times = re.subn(
            r"(?m)^(\s*(?:- )*[A-Za-z_]\w*\s*:[ \t]+)(?![\"'\[{|>&*!#])(.*:[ \t].*?)[ \t]*$",
            lambda found: found[1] + '"' + found[2].replace("\\", "\\\\").replace('"', '\\"') + '"',
            text,
        )
        if not times:
            raise
        try:
            values = read_yaml(quoted, name)[0]
        except StudyFileError:
            raise strict from None
        report.changed.append(f"{times} texts with a colon inside were put in quotes, as YAML asks.")
        return values


def _pages(pages: list[Any], report: Report) -> Iterator[dict[str, Any]]:
    """All pages in their order, out of the lists in lists that `random` shuffles."""
    for page in pages:
        if page == "random":
            report.changed.append("random: the order of all trials is drawn for each session, and balanced.")
        elif isinstance(page, list):
            yield from _pages(page, report)
        elif isinstance(page, dict):
            yield page
        else:
            report.lost.append(f"{str(page)[:60]!r} is no page.")


def _group(page: dict[str, Any], kind: str) -> tuple[Any, ...]:
    """What pages must share to be trials of one study."""
    if kind in ("mushra", "bs1116"):
        return "mushra", bool(page.get("createAnchor35")), bool(page.get("createAnchor70")), kind
    if kind == "paired_comparison":
        return "pairwise", bool(page.get("unforced")), bool(page.get("reference"))
    return "mos", yaml.safe_dump([_scale(one) for one in _scales(page)])


def _scales(page: dict[str, Any]) -> list[list[dict[str, Any]]]:
    response = page.get("response")
    given = [one for one in response if isinstance(one, (dict, list))] if isinstance(response, list) else []
    return [one for one in given if isinstance(one, list)] or [[one for one in given if isinstance(one, dict)]]


def _scale(points: list[dict[str, Any]]) -> list[str]:
    return [_plain(point.get("label", point.get("value"))) for point in points]


def _study(
    slug: str, title: str, group: tuple[Any, ...], pages: list[dict[str, Any]], language: str, report: Report
) -> dict[str, Any]:
    """The values of a study for a group of pages, without what all groups share."""
    kind = group[0]
    study: dict[str, Any] = {
        "slug": slug,
        "title": {language: title},
        "kind": kind,
        "question": {language: _question(pages)},
        "languages": [language],
        "headphone_check": "none",
    }
    if kind == "mushra":
        study["anchors"] = [name for name, made in zip(("low", "mid"), group[1:3], strict=True) if made]
        if group[3] == "bs1116":
            report.changed.append(
                "bs1116: its grades from 1 to 5, one condition beside the hidden reference, become a MUSHRA trial of "
                "all conditions with the reference hidden among them; the two scales must not be compared."
            )
    if kind == "pairwise":
        study |= {"ties": group[1], "reference": group[2]}
    if kind == "mos":
        study["attributes"] = _attributes(pages[0], study["question"], language, report)
        if any(page.get("type") == "likert_multi_stimulus" for page in pages):
            report.changed.append("likert_multi_stimulus: each stimulus is rated on a page of its own.")
    if any(page.get("mustPlayback") for page in pages):
        report.changed.append("mustPlayback: set minimum_seconds for how long each sound has to be heard.")
    files: dict[str, dict[str, str]] = {}
    prompts = []
    names = _distinct([_name(str(page.get("id") or page.get("name") or "page")) for page in pages])
    for prompt, page in zip(names, pages, strict=True):
        stimuli = page.get("stimuli")
        given = {_name(str(one)): path for one, path in (stimuli or {}).items()} if isinstance(stimuli, dict) else {}
        if page.get("reference"):
            files.setdefault(REFERENCE, {})[prompt] = _path(page["reference"])
        for system, path in given.items():
            system = "condition-reference" if system == REFERENCE else system
            files.setdefault(system, {})[prompt] = _path(path)
        prompts.append({"name": prompt})
    systems = [{"name": one, "files": paths} for one, paths in files.items()]
    for system in systems:
        if system["name"] == REFERENCE:
            system["role"] = "reference"
    for prompt in prompts:
        heard = [one for one in files if prompt["name"] in files[one]]
        compared = [one for one in heard if one != REFERENCE]
        if len(heard) < len(files):
            prompt["systems"] = compared if kind == "pairwise" else heard
    study |= {"systems": systems, "prompts": prompts, "items_per_session": min(10, len(prompts))}
    return study


def _attributes(page: dict[str, Any], question: dict[str, str], language: str, report: Report) -> list[dict[str, Any]]:
    scales = _scales(page)
    if any("img" in point for points in scales for point in points):
        report.lost.append("img, imgSelected: points of a scale are words here, which screen readers can say.")
    return [
        {
            "name": "rating" if len(scales) == 1 else f"rating-{number}",
            "question": question,
            "labels": [{language: label} for label in _scale(points)],
        }
        for number, points in enumerate(scales, start=1)
    ]


def _checked(study: dict[str, Any], pages: list[dict[str, Any]], report: Report) -> list[Imported]:
    """The study if it keeps to the rules; otherwise without the pages that break them, which are told."""
    labels = ", ".join(_label(page) for page in pages)
    while study["prompts"]:
        text = yaml.dump(study, Dumper=_Plain, allow_unicode=True, sort_keys=False, width=110)
        try:
            parsed = parse_study(text, study["slug"])
        except StudyFileError as error:
            at = next(
                (fault.place[1] for fault in error.faults if fault.place[:1] == ("prompts",) and fault.place[1:]), None
            )
            if not isinstance(at, int):
                report.lost.append(f"{labels}: {error.faults[0].message}")
                return []
            gone = study["prompts"].pop(at)["name"]
            report.lost.append(
                f"page {gone!r}: {next(f.message for f in error.faults if f.place[:2] == ('prompts', at))}"
            )
            study["items_per_session"] = min(10, len(study["prompts"])) or 1
            for system in study["systems"]:
                system["files"].pop(gone, None)
            study["systems"] = [one for one in study["systems"] if one["files"]]
            continue
        report.mapped.append(
            f"{len(parsed.prompts)} page{'s' if len(parsed.prompts) > 1 else ''} of kind {pages[0]['type']} as the "
            f"{parsed.kind} study {parsed.slug!r} with {len(parsed.rated())} conditions."
        )
        return [Imported(parsed.slug, text, sorted({path for _, _, path in parsed.stimuli()}))]
    return []


class _Plain(yaml.SafeDumper):
    """Writes a value that is used twice out twice: studies know no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _question(pages: list[dict[str, Any]]) -> str:
    return (
        next((text for page in pages if (text := _plain(page.get("content")))), "")
        or _plain(pages[0].get("name"))
        or "?"
    )


def _information(texts: list[str], language: str) -> dict[str, str]:
    from app.studies.labels import INFORMATION

    whole = "\n\n".join(text for text in texts if text) or INFORMATION[language]
    return {language: whole[:4000]}


def _language(told: Any, report: Report) -> str:
    if told in (None, "en", "fr"):
        return told or "en"
    report.lost.append(
        f"language {str(told)[:20]!r}: buttons and labels come in en and fr; the texts stay as they are."
    )
    return "en"


def _label(page: dict[str, Any]) -> str:
    return f"page {str(page.get('id') or page.get('name') or page.get('type'))[:60]!r}"


def _plain(markup: Any) -> str:
    """Text of a piece of HTML: tags gone, breaks and list items on lines of their own."""
    text = re.sub(r"(?i)<\s*(br|/p|/li|/ul|/h\d)\b[^>]*>", "\n", str("" if markup is None else markup))
    text = html.unescape(re.sub(r"<[^>]*>", "", text))
    text = "".join(character for character in text if character == "\n" or character.isprintable())
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())[:4000]


def _name(text: str) -> str:
    """A name as studies have them."""
    clean = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("._-")
    clean = re.sub(r"\.{2,}", ".", clean)[:50]
    return clean or "x"


def _path(text: Any) -> str:
    return re.sub(r"^(\./)+", "", str(text))


def _distinct(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name.lower()] = times = seen.get(name.lower(), 0) + 1
        distinct.append(name if times == 1 else f"{name}-{times}")
    return distinct


def write_studies(studies: list[Imported], target: Path, root: Path | None, report: Report) -> list[Path]:
    """Write each study into a folder of its own, with its sounds where webMUSHRA's root folder is given.

    Raises:
        StudyFileError: A folder is there already, or cannot be written.
    """
    written = []
    for one in studies:
        folder = target / one.slug
        try:
            folder.mkdir(parents=True)
            (folder / "study.yaml").write_text(one.text, encoding="utf-8")
            for path in one.files if root else []:
                _copy(root or Path(), path, folder, report)
        except FileExistsError:
            raise refuse(str(folder), "this folder is there already; choose another target.") from None
        except OSError as error:
            raise refuse(str(folder), f"the study cannot be written ({error.strerror or error}).") from None
        written.append(folder)
    return written


def _copy(root: Path, path: str, folder: Path, report: Report) -> None:
    source = root / path
    if not source.is_file() or not source.resolve().is_relative_to(root.resolve()):
        report.lost.append(f"the sound {path} is not in the given folder; copy it into {folder.name}/{path}.")
        return
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(source.read_bytes())
