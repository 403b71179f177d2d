"""Between the engine and the services: its errors as sentences, its downloads as news, its notes in our names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.errors import UserError

Report = Callable[[str, "float | None"], None]


def sampling_facts(info: dict[str, Any]) -> dict[str, Any]:
    """A model that continues sound or makes music: what its head is and how it samples, by its configuration alone.

    `discrete` says whether it draws codes, `head` is the kind of its head, and of music `described` says whether a
    CLAP model is there and `described_cfg` how much a description guides.

    Raises:
        InputError: its configuration cannot be read.
    """
    from calm_core.catalogue import find
    from calm_core.config import ContinuationModelConfig, HeadConfig

    config = find(info["id"]).config
    assert isinstance(config, ContinuationModelConfig)
    return {
        **info,
        "title": config.card.title or info["title"],
        "discrete": not isinstance(config.head, HeadConfig),
        "head": config.head.kind,
        "described": "clap_to_music" in info["tasks"],
        "described_cfg": config.sampling.described_cfg,
        **config.sampling.model_dump(),
    }


def clap_folder(model: str) -> str | None:
    """Where the CLAP model of a music model is: a folder here, or an address of the Hub; None where there is none.

    Raises:
        InputError: the configuration of the music model cannot be read.
    """
    from calm_core.catalogue import CHECKPOINTS, clap_address, find

    address = clap_address(find(model))
    if address is None or address.startswith("hf://"):
        return address
    places = [CHECKPOINTS / address, Path(address)]
    return next((str(place) for place in places if (place / "config.yaml").is_file()), None)


def continued(meta: dict[str, Any]) -> dict[str, Any]:
    """The engine's notes on a continuation, in names that are no parameter's."""
    notes = {name: value for name, value in meta.items() if name not in ("prompt_seconds", "first_audio_seconds")}
    return {**notes, "prompt_end": meta["prompt_seconds"], "first_new_seconds": meta.get("first_audio_seconds")}


def download_report(report: Report | None) -> Callable[[str, int, int | None], None] | None:
    """The engine tells of bytes; the page shows a sentence and a fraction."""
    if report is None:
        return None

    def told(name: str, done: int, total: int | None) -> None:
        of = f" of {total / 1e6:.0f}" if total else ""
        report(f"Fetching {name}: {done / 1e6:.0f}{of} MB", done / total if total else None)

    return told


@contextmanager
def sentences(param: str | None = None) -> Iterator[None]:
    """Turn the engine's input errors into errors for people."""
    try:
        yield
    except UserError as error:
        error.param = error.param or param
        raise
    except Exception as error:
        if not is_input_error(error):
            raise
        raise UserError(str(error), param=param) from error


def is_input_error(error: BaseException) -> bool:
    """Whether an exception is a sentence of the engine's for its users."""
    return any(kind.__module__ == "calm_core.errors" for kind in type(error).__mro__)
