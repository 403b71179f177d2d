"""Render the bundled pieces that music goes on from: `python -m app.music_prompts [--out FOLDER]`.

They are pieces of our composer with fixed seeds, one of each of eight genres, led by an instrument that training never
heard lead in that genre. Needs Debian's fluidsynth and fluid-soundfont-gm.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
import yaml

from app.encoding import synthetic_note
from app.music import CONTINUE
from app.samples.sound_file import with_serial
from app.settings import ASSETS

if TYPE_CHECKING:
    from calm_core.training.music.notes import Piece

LIST = "prompts.yaml"
GENRES = ("ambient", "blues", "bossa nova", "classical", "folk", "jazz", "reggae", "rock")
SECONDS = 8.0
FIRST_SEED = 900_000_000  # far from the seeds of the corpus, so that no piece of any split is among them
_FADE_SECONDS = 0.25
_QUALITY = 0.35  # of Vorbis, from 0, best, to 1: some 120 kbit/s
_NOTE = "# Made by `python -m app.music_prompts`: pieces of our composer that no model was trained on.\n"


def main(arguments: list[str] | None = None) -> int:
    """Render all prompts; 2 when fluidsynth or its sound font is missing, or the folder cannot be written."""
    parser = argparse.ArgumentParser(description="Render the bundled pieces that music goes on from.")
    parser.add_argument("--out", type=Path, default=ASSETS / "music", help="default: assets/music")
    folder = parser.parse_args(arguments).out
    from calm_core.errors import InputError

    try:
        for path in render(folder):
            print(f"{path} {path.stat().st_size / 1e3:.0f} kB")
    except (InputError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{folder} cannot be written ({error.strerror}).", file=sys.stderr)
        return 2
    return 0


def render(folder: Path) -> list[Path]:
    """Make every piece and the list of them; the folder is replaced when all are made.

    Raises:
        InputError: fluidsynth or its sound font is missing.
    """
    from calm_core.training.music.render import MUSIC_RATE, check_renderer, play

    check_renderer()
    folder.parent.mkdir(parents=True, exist_ok=True)
    entries: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".music-") as part:
        for seed, piece in chosen():
            name = piece.genre.replace(" ", "-")
            samples = play(piece, seed)[: round(SECONDS * MUSIC_RATE)]
            _write(Path(part) / f"{name}.ogg", _faded(samples, MUSIC_RATE), MUSIC_RATE)
            entries[name] = {"file": f"{name}.ogg", "description": _title(piece), "licence": "MIT", "seed": seed}
        text = yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=110)
        (Path(part) / LIST).write_text(_NOTE + text, encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(part, folder)
    return [folder / entry["file"] for entry in entries.values()]


def chosen() -> Iterator[tuple[int, Piece]]:
    """Seeds and pieces of `GENRES`, each led by an instrument that is held out there."""
    for number, genre in enumerate(GENRES):
        yield held_out_piece(genre, FIRST_SEED + 1000 * number)


def held_out_piece(genre: str, seed: int) -> tuple[int, Piece]:
    """The first seed from `seed` on whose piece is led by an instrument that training never hears lead in its genre.

    Raises:
        InputError: the genre has no such instrument.
    """
    import calm_core
    from calm_core.errors import InputError
    from calm_core.training.music.composer import compose
    from calm_core.training.music.corpus import is_held_out, load_recipe
    from calm_core.training.music.genres import GENRES as ALL

    recipe = load_recipe(Path(calm_core.__file__).parent / "configs" / "corpus_music.yaml", [])
    leads = [one for one in ALL[genre].melody if is_held_out(genre, one, recipe.held_out_per_mille)]
    if not leads:
        raise InputError(f"No instrument is held out in {genre!r}; choose one of {', '.join(GENRES)}.")
    while (piece := compose(seed, recipe.seconds, genre)).instruments[0] not in leads:
        seed += 1
    return seed, piece


def _title(piece: Piece) -> str:
    """What a listener reads: who leads, how fast."""
    return f"{' and '.join(piece.instruments[:2])}, {round(piece.tempo)} beats a minute"


def _faded(samples: np.ndarray, rate: int) -> np.ndarray:
    """Ends softly, and no louder than can be written."""
    count = round(_FADE_SECONDS * rate)
    out = samples.copy()
    out[-count:] *= np.linspace(1, 0, count)
    return out * min(1.0, 0.97 / np.abs(out).max())


def _write(path: Path, samples: np.ndarray, rate: int) -> None:
    with soundfile.SoundFile(path, "w", rate, 1, format="OGG", subtype="VORBIS", compression_level=_QUALITY) as file:
        file.comment = synthetic_note(CONTINUE)
        file.write(samples.astype(np.float32))
    path.write_bytes(with_serial(path.read_bytes(), 1))  # the same bytes each time


if __name__ == "__main__":
    sys.exit(main())
