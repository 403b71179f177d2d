"""Named endpoints of the Gradio API, for `gradio_client`: the same services without the page."""

from __future__ import annotations

import asyncio
from typing import Any

import gradio as gr

from app.models import GO_ON
from app.pages import music_endpoints
from app.pages.endpoint_files import answers, check_format, sound_file
from app.services import Services
from app.speech import LIMITS


def build(services: Services) -> None:
    """Declare `/speak`, `/continue_speech`, those of music, `/models` and `/voices`."""
    settings, synthesizer = services.settings, services.synthesizer

    @answers
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
        check_format(audio_format)
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
        return await sound_file(services, run, audio_format)

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
    music_endpoints.build(services)

    @answers
    async def models() -> list[dict[str, Any]]:
        """Every model with id, task, title, parameters, source, licence and language."""
        return await asyncio.to_thread(synthesizer.catalogue.all)

    @answers
    async def voices(model: str = "") -> list[dict[str, Any]]:
        """The preset voices of a model with their licences; the default model when empty."""
        return await asyncio.to_thread(synthesizer.voices, model or settings.default_model)

    gr.api(models, api_name="models")
    gr.api(voices, api_name="voices")


def _continue_speech(services: Services) -> None:
    settings = services.settings

    @answers
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
        check_format(audio_format)
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
        path, info = await sound_file(services, run, audio_format)
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
