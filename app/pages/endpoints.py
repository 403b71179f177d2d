"""Named endpoints of the Gradio API, for `gradio_client`: the same services without the page."""

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
from app.models import GO_ON
from app.runs import Run
from app.services import Services
from app.speech import LIMITS

log = logging.getLogger(__name__)
Endpoint = Callable[..., Awaitable[Any]]


def build(services: Services) -> None:
    """Declare `/speak`, `/continue_speech`, `/models` and `/voices`."""
    settings, synthesizer = services.settings, services.synthesizer

    @_answers
    async def speak(
        text: str,
        model: str = "",
        voice: str = "",
        seed: float | None = None,
        temperature: float | None = None,
        steps: float | None = None,
        cfg: float | None = None,
        speed: float | None = None,
        audio_format: str = "wav",
    ) -> tuple[str, dict[str, Any]]:
        """Speak a text and return the whole sound as a file, with all parameters.

        An empty model or voice, and numbers that are left out, mean the defaults; the format is wav, flac or mp3.
        """
        _check_format(audio_format)
        model = model or settings.default_model
        name = voice or await asyncio.to_thread(synthesizer.default_voice, model)
        reference = await asyncio.to_thread(services.voices.by_name, name)
        run = services.open_run(
            model=model,
            text=text,
            voice=reference,
            seed=seed,
            temperature=temperature,
            steps=steps,
            cfg=cfg,
            speed=speed,
        )
        return await _file(services, run, audio_format)

    with gr.Row(visible=False):
        inputs = [
            gr.Textbox(label="text"),
            gr.Textbox(label="model", value=""),
            gr.Textbox(label="voice", value=""),
            gr.Number(None, label="seed", precision=0),
            *[gr.Number(None, label=name) for name in LIMITS],
            gr.Textbox("wav", label="audio_format"),
        ]
        file, parameters = gr.File(label="sound"), gr.JSON(label="parameters")
        gr.Button().click(
            speak,
            inputs,
            [file, parameters],
            api_name="speak",
            concurrency_limit=settings.concurrency,
            concurrency_id="speak",
            show_progress="hidden",
        )

    _continue_speech(services)

    @_answers
    async def models() -> list[dict[str, Any]]:
        """Every model with id, task, title, parameters, source, licence and language."""
        return await asyncio.to_thread(synthesizer.catalogue.all)

    @_answers
    async def voices(model: str = "") -> list[dict[str, Any]]:
        """The preset voices of a model with their licences; the default model when empty."""
        return await asyncio.to_thread(synthesizer.voices, model or settings.default_model)

    gr.api(models, api_name="models")
    gr.api(voices, api_name="voices")


def _continue_speech(services: Services) -> None:
    settings = services.settings

    @_answers
    async def continue_speech(
        recording: str | None = None,
        example: str = "",
        consent: bool = False,
        model: str = "",
        seconds: float | None = None,
        prompt_seconds: float | None = None,
        seed: float | None = None,
        temperature: float | None = None,
        text_temperature: float | None = None,
        steps: float | None = None,
        top_k: float | None = None,
        audio_format: str = "wav",
    ) -> tuple[str, str, dict[str, Any]]:
        """Go on from a recording, or from a bundled example by its name; the sound, its words and all parameters.

        `consent` states that you have the right to use the voice of your recording. An empty model, and numbers that
        are left out, mean the defaults.
        """
        _check_format(audio_format)
        await asyncio.to_thread(services.synthesizer.wait)
        model = model or await asyncio.to_thread(services.synthesizer.catalogue.default, GO_ON)
        if example:
            prompt = services.prompts.get(example)
        else:
            prompt = await asyncio.to_thread(
                services.own_prompt, recording, consent=consent, visitor="gradio", source="api"
            )
        run = services.open_continuation(
            model=model, prompt=prompt, seconds=seconds, prompt_seconds=prompt_seconds, seed=seed,
            temperature=temperature, text_temperature=text_temperature, steps=steps, top_k=top_k,
        )  # fmt: skip
        path, info = await _file(services, run, audio_format)
        return path, info.get("text", ""), info

    with gr.Row(visible=False):
        inputs = [
            gr.File(label="recording", type="filepath"),
            gr.Textbox("", label="example"),
            gr.Checkbox(False, label="consent"),
            gr.Textbox("", label="model"),
            *[gr.Number(None, label=name) for name in ("seconds", "prompt_seconds")],
            gr.Number(None, label="seed", precision=0),
            *[gr.Number(None, label=name) for name in ("temperature", "text_temperature", "steps", "top_k")],
            gr.Textbox("wav", label="audio_format"),
        ]
        outputs = [gr.File(label="sound"), gr.Textbox(label="words"), gr.JSON(label="parameters")]
        gr.Button().click(
            continue_speech,
            inputs,
            outputs,
            api_name="continue_speech",
            concurrency_limit=settings.concurrency,
            concurrency_id="speak",
            show_progress="hidden",
        )


def _check_format(name: str) -> None:
    if name not in FORMATS:
        raise UserError(f"The format must be {', '.join(FORMATS)}.", param="audio_format")


async def _file(services: Services, run: Run, audio_format: str) -> tuple[str, dict[str, Any]]:
    """Carry a run out; its sound as a file that Gradio serves, and all parameters."""
    end = await services.runs.result(run)
    if end.clip is None:
        raise UserError(end.warning or "No sound was made.")
    path = await asyncio.to_thread(services.rendition, end.clip.id, audio_format)
    return str(_served(path, f"calm-{end.clip.id[:8]}.{audio_format}")), end.info


def _answers(endpoint: Endpoint) -> Endpoint:
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
