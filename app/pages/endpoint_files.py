"""What the named endpoints of the Gradio API share: their errors, their formats, their sounds as files."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from app.clips import FORMATS
from app.errors import UserError, unexpected
from app.runs import Run
from app.services import Services

log = logging.getLogger(__name__)
Endpoint = Callable[..., Awaitable[Any]]


def check_format(name: str) -> None:
    """Refuse a format that no file has.

    Raises:
        UserError: it is none.
    """
    if name not in FORMATS:
        raise UserError(f"The format must be {', '.join(FORMATS)}.", param="audio_format")


async def sound_file(services: Services, run: Run, audio_format: str) -> tuple[str, dict[str, Any]]:
    """Carry a run out; its sound as a file that Gradio serves, and all parameters.

    Raises:
        UserError: the run failed, or its sound cannot be kept.
    """
    return (await sound_files(services, run, audio_format))[0]


async def sound_files(services: Services, run: Run, audio_format: str) -> list[tuple[str, dict[str, Any]]]:
    """The same for every variant of a run."""
    end = await services.runs.result(run)
    files = []
    for one in end.made:
        if one.clip is None:
            raise UserError(end.warning or "No sound was made.")
        path = await asyncio.to_thread(services.rendition, one.clip.id, audio_format)
        files.append((str(_served(path, f"calm-{one.clip.id[:8]}.{audio_format}")), one.info))
    return files


def answers(endpoint: Endpoint) -> Endpoint:
    """Give errors for people to the client as they are, and hide all others."""

    @wraps(endpoint)
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return await endpoint(*args, **kwargs)
        except UserError as error:
            raise gr.Error(error.message, print_exception=False) from None
        except Exception as error:
            log.error("An endpoint failed", exc_info=error)
            raise gr.Error(unexpected().message, print_exception=False) from None

    return wrapped


def _served(path: Path, name: str) -> Path:
    """Copy a file into Gradio's cache, the only place that it serves files from."""
    target = Path(get_upload_folder()) / path.stem.split(".")[0] / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
    return target
