"""Render the page of samples: `python -m app.bundled_samples [--only TABLE] [--anew] [--check]`.

Makes what `assets/samples/samples.yaml` describes and what is not yet there, or was made with other settings or
weights. Stories need Debian's flite, pieces of music fluidsynth; models come from `assets/checkpoints`.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
from pathlib import Path

from app.errors import UserError
from app.samples.render import render_table
from app.samples.rendered import Rendered, read_rendered, stale, write_rendered
from app.samples.schema import FOLDER, read_description
from app.settings import ASSETS


def main(arguments: list[str] | None = None) -> int:
    """Render or check the samples; 1 when something is stale, 2 when a description, model or program cannot be used."""
    parser = argparse.ArgumentParser(description="Render the sounds of the page of samples.")
    parser.add_argument("--only", metavar="TABLE", help="name of the one table to render (default: all)")
    parser.add_argument("--anew", action="store_true", help="make every clip again, also those that are as described")
    parser.add_argument("--check", action="store_true", help="make nothing; say what is no longer as described")
    parser.add_argument("--samples", type=Path, default=FOLDER, help="folder with samples.yaml")
    parser.add_argument("--checkpoints", type=Path, default=ASSETS / "checkpoints", help="folder of models")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    from calm_core.errors import InputError

    try:
        if options.check:
            found = stale(options.samples, read_description(options.samples), options.checkpoints)
            print(*(found or ["All samples are as described."]), sep="\n")
            return 1 if found else 0
        render(options.samples, options.checkpoints, only=options.only, anew=options.anew)
    except UserError as error:
        print(error.message, file=sys.stderr)
        return 2
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def render(folder: Path, checkpoints: Path, *, only: str | None = None, anew: bool = False) -> Rendered:
    """Make the sounds of all tables or of one; files that no table needs any longer are removed.

    Args:
        folder: With `samples.yaml`.
        checkpoints: Folder of models.
        only: Name of the one table to make.
        anew: Keep nothing of what is there.

    Raises:
        UserError: the description is not in order, or flite or fluidsynth is missing.
        InputError: a model cannot be used.
    """
    description = read_description(folder)
    names = [table.name for table in description.tables]
    if only not in (None, *names):
        raise UserError(f"There is no table '{only}'; choose from {', '.join(names)}.", param="--only")
    before = read_rendered(folder)
    rendered = Rendered(tables={name: rows for name, rows in before.tables.items() if name in names})
    for table in description.tables:
        if only not in (None, table.name):
            continue
        rows = render_table(folder, table, checkpoints, None if anew else before.tables.get(table.name))
        if rows is None:
            rendered.tables.pop(table.name, None)
        else:
            rendered.tables[table.name] = rows
            clips = [*rows.heard.values(), *(c for one in rows.columns.values() for c in one.clips.values())]
            size = sum((folder / clip.file).stat().st_size for clip in clips)
            print(f"{table.name}: {len(clips)} clips, {sum(c.seconds for c in clips):.0f} s in {size / 1e6:.1f} MB")
        write_rendered(folder, rendered)  # a run that is stopped later keeps this table
    _sweep(folder, rendered)
    return rendered


def _sweep(folder: Path, rendered: Rendered) -> None:
    kept = rendered.files()
    for path in sorted((folder / "audio").rglob("*"), reverse=True):
        if path.is_file() and str(path.relative_to(folder)) not in kept:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            shutil.rmtree(path)


if __name__ == "__main__":
    sys.exit(main())
