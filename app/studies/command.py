"""`python -m app study ...`: make, check, import and run listening tests from the command line."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import UserError
from app.studies.faults import StudyFileError, refuse
from app.studies.schema import FILE_NAME, parse_study, read_study, read_text, warnings

if TYPE_CHECKING:
    from app.db import Database
    from app.settings import Settings

BAD_INPUT = 2
ACTOR = "command line"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The commands below `study` and their options."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], int | None], told: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=told, description=told)
        made.set_defaults(run=run)
        return made

    one = command("validate", _validate, "check a study: the YAML, and the sounds where there are any")
    one.add_argument("study", type=Path, help="study.yaml, its folder, or a zip")
    one = command("create", _create, "add a study, or a new version of one, to the database")
    one.add_argument("folder", type=Path, help="folder with study.yaml, or a zip of it")
    one.add_argument("--new-version", action="store_true", help="the study is there already; sessions finish on theirs")
    one.add_argument("--open", action="store_true", help="open it to listeners at once")
    one = command("preset", _preset, "write study.yaml for a protocol of the CALM paper, or for MUSHRA")
    one.add_argument("name", nargs="?", help="without a name the protocols are listed")
    one.add_argument(
        "--out", type=Path, help="folder; sounds in its audio/SYSTEM/PROMPT files are found (default: NAME)"
    )
    one.add_argument("--slug", help="name in addresses (default: the protocol's)")
    one = command("import-webmushra", _import, "turn a webMUSHRA configuration into studies, with a report")
    one.add_argument("config", type=Path)
    one.add_argument("--out", type=Path, default=Path(), help="folder for the studies (default: here)")
    one.add_argument("--root", type=Path, help="webMUSHRA's root folder, to copy the sounds from")
    one = command("anchors", _anchors, "make the anchors of BS.1534-3 of a reference")
    one.add_argument("reference", type=Path, nargs="+", help="sound files")
    one.add_argument("--out", type=Path, required=True, help="folder")
    one = command("simulate", _simulate, "show how balanced a study becomes with a crowd of listeners")
    one.add_argument("study", type=Path, help="study.yaml or its folder")
    one.add_argument("--raters", type=int, default=500)
    one.add_argument("--drop-out", type=float, default=0.25, help="share of them that leave early")
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--no-limit", action="store_true", help="do not stop at ratings_wanted")
    one = command("list", _list, "the studies in the database")
    one.add_argument("--json", action="store_true")
    for state, told in (("open", "to listeners"), ("pause", "running sessions may finish"), ("close", "for good")):
        one = command(state, _state, f"{state} a study {told}")
        one.add_argument("slug")
        one.add_argument("--reason", help="for the audit trail")
        one.set_defaults(state={"open": "open", "pause": "paused", "close": "closed"}[state])
    one = command("report", _report, "a study's methods, results and figures as one HTML page")
    one.add_argument("slug")
    one.add_argument("file", type=Path, help="replaced when it is there")
    one = command("duplicate", _duplicate, "copy a study under another name, without its listeners")
    one.add_argument("slug")
    one.add_argument("new_slug")


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _told(label: str) -> Callable[[int, int], None]:
    """Progress on stderr: one line that is rewritten on a terminal, nothing elsewhere."""

    def told(done: int, of: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{label}: {done}/{of}", end="\n" if done == of else "", file=sys.stderr, flush=True)

    return told


def _all_faults(error: StudyFileError) -> StudyFileError:
    """Every fault on stdout, the first on stderr as for any error."""
    print("\n".join(error.lines), flush=True)
    return error


def _validate(options: argparse.Namespace) -> None:
    from app.studies.create import check_source

    try:
        path: Path = options.study
        text_only = path.is_file() and path.suffix.lower() in (".yaml", ".yml")
        if text_only and not (path.parent / "audio").is_dir():
            study = parse_study(*_named(path))
            _note("Only the text was checked: there is no folder audio beside it.")
        else:
            study, batch = check_source(path.parent if text_only else path, told=_told("sounds"))
            print("\n".join(batch.levels and batch.notes))
    except StudyFileError as error:
        raise _all_faults(error) from None
    print("\n".join(f"advice: {one}" for one in warnings(study)), end="\n" if warnings(study) else "")
    print(f"{study.slug}: a {study.kind} study in order, {len(study.rated())} systems, {len(study.prompts)} prompts.")


def _named(path: Path) -> tuple[str, str]:
    text, found = read_text(path)
    return text, found.name


def _create(options: argparse.Namespace) -> None:
    from app.studies.create import create_study
    from app.studies.manage import set_state

    settings, database = _records()
    try:
        made = create_study(
            database,
            settings.media_dir,
            options.folder,
            new_version=options.new_version,
            actor=ACTOR,
            told=_told("sounds"),
        )
        for line in (*made.notes, *(f"advice: {one}" for one in made.warnings)):
            _note(line)
        if options.open:
            set_state(database, made.slug, "open", actor=ACTOR)
        print(f"{made.slug}: version {made.number}" + ("" if made.is_new else " was there already, nothing changed"))
    except StudyFileError as error:
        raise _all_faults(error) from None
    finally:
        database.close()


def _preset(options: argparse.Namespace) -> None:
    from app.studies.presets import PRESETS, write_preset

    if not options.name:
        print("\n".join(f"{name:<20}{preset.about}" for name, preset in PRESETS.items()))
        return
    path = write_preset(options.name, options.out or Path(options.slug or options.name), options.slug)
    study = read_study(path)
    _note(f"Put the sounds into {path.parent}/{study.files}, or change systems and prompts; then: study create.")
    print(path)


def _import(options: argparse.Namespace) -> None:
    from app.studies.webmushra import import_config, write_studies

    text, path = read_text(options.config)
    studies, report = import_config(text, path.name)
    written = write_studies(studies, options.out, options.root, report)
    for line in report.lines():
        _note(line)
    print("\n".join(str(folder / FILE_NAME) for folder in written))


def _anchors(options: argparse.Namespace) -> None:
    from app.studies.anchors import make_anchor
    from app.studies.schema import ANCHOR_NAMES
    from app.studies.sounds import float_wave_bytes, read_sound

    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for source in options.reference:
            reference = read_sound(source)
            for kind in ("low", "mid"):
                path = options.out / f"{source.stem}.{ANCHOR_NAMES[kind]}.wav"
                path.write_bytes(float_wave_bytes(make_anchor(reference, kind)))
                print(path)
    except ValueError as error:
        raise refuse(source.name, f"{error}.") from None
    except OSError as error:
        raise refuse(str(options.out), f"the anchors cannot be written ({error.strerror or error}).") from None


def _simulate(options: argparse.Namespace) -> None:
    import numpy as np

    from app.studies.assignment import Design
    from app.studies.balance import simulate

    if not (1 <= options.raters <= 100_000 and 0 <= options.drop_out < 1 and options.seed >= 0):
        raise UserError("A simulation takes 1 to 100000 raters, a drop-out from 0 to below 1, and a seed from 0.")
    design = Design.of(read_study(options.study))
    wanted = 10**9 if options.no_limit else None
    rng = np.random.default_rng(options.seed)
    balance = simulate(design, rng, raters=options.raters, drop_out=options.drop_out, ratings_wanted=wanted)
    print("\n".join(balance.table()))


def _list(options: argparse.Namespace) -> None:
    from app.studies.manage import list_studies

    _, database = _records()
    try:
        listed = list_studies(database)
    finally:
        database.close()
    if options.json:
        print(
            json.dumps([vars(one) | {"created_at": one.created_at.isoformat()} for one in listed], ensure_ascii=False)
        )
        return
    rows: list[tuple[Any, ...]] = [("slug", "kind", "state", "version", "finished", "active", "votes", "title")]
    for one in listed:
        done, active = one.sessions.get("finished", 0), one.sessions.get("active", 0)
        rows.append((one.slug, one.kind, one.state, one.version, done, active, one.votes, one.title[:40]))
    widths = [max(len(str(row[at])) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        print("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _state(options: argparse.Namespace) -> None:
    from app.studies.manage import set_state

    _, database = _records()
    try:
        before = set_state(database, options.slug, options.state, actor=ACTOR, reason=options.reason)
    finally:
        database.close()
    print(f"{options.slug}: {before} -> {options.state}")


def _report(options: argparse.Namespace) -> None:
    from app.board.report import write_report

    _, database = _records()
    try:
        write_report(database, options.slug, options.file)
    finally:
        database.close()
    print(options.file)


def _duplicate(options: argparse.Namespace) -> None:
    from app.studies.manage import duplicate_study

    _, database = _records()
    try:
        made = duplicate_study(database, options.slug, options.new_slug, actor=ACTOR)
    finally:
        database.close()
    print(f"{made.slug}: version {made.number}, a draft. {made.notes[0]}")


def _records() -> tuple[Settings, Database]:
    """The settings and the database with its journal."""
    from app.db import open_from
    from app.settings import load_settings

    settings = load_settings()
    return settings, open_from(settings)
