"""Named endpoints of the Gradio API for music: `/continue_music` and `/music`."""

from __future__ import annotations

import asyncio
from typing import Any

import gradio as gr

from app.music import CONTINUE, DESCRIBE
from app.pages.endpoint_files import answers, check_format, sound_files
from app.runs import Run
from app.services import Services

_NUMBERS = ("seconds", "count", "seed", "temperature", "steps", "top_k", "cfg")


def build(services: Services) -> None:
    """Declare both."""
    settings, music = services.settings, services.music

    async def default(model: str, task: str) -> str:
        await asyncio.to_thread(services.synthesizer.wait)
        return model or await asyncio.to_thread(services.synthesizer.catalogue.default, task)

    async def delivered(run: Run, audio_format: str) -> tuple[list[str], list[dict[str, Any]]]:
        files = await sound_files(services, run, audio_format)
        return [path for path, _ in files], [info for _, info in files]

    @answers
    async def continue_music(
        recording: str | None = None,
        example: str = "",
        model: str = "",
        prompt_part: str = "beginning",
        prompt_seconds: float | None = None,
        guide: str = "none",
        seconds: float | None = None,
        count: float | None = None,
        seed: float | None = None,
        temperature: float | None = None,
        steps: float | None = None,
        top_k: float | None = None,
        cfg: float | None = None,
        audio_format: str = "wav",
    ) -> tuple[list[str], list[dict[str, Any]]]:
        """Go on from a piece, or from a bundled example by its name; a file and all parameters for each variant.

        An empty model, and numbers that are left out, mean the defaults; the format is wav, flac or mp3.
        """
        check_format(audio_format)
        model = await default(model, CONTINUE)
        run = await asyncio.to_thread(
            lambda: music.open_continuation(
                model=model, prompt=music.sound(path=recording, example=example), prompt_part=prompt_part,
                prompt_seconds=prompt_seconds, guide=guide, seconds=seconds, count=count, seed=seed,
                temperature=temperature, steps=steps, top_k=top_k, cfg=cfg,
            )
        )  # fmt: skip
        return await delivered(run, audio_format)

    @answers
    async def make_music(
        description: str = "",
        reference: str | None = None,
        example: str = "",
        text_weight: float | None = None,
        model: str = "",
        seconds: float | None = None,
        count: float | None = None,
        seed: float | None = None,
        temperature: float | None = None,
        steps: float | None = None,
        top_k: float | None = None,
        cfg: float | None = None,
        audio_format: str = "wav",
    ) -> tuple[list[str], list[dict[str, Any]]]:
        """Music of a description, of a reference sound or a bundled example, or of both, for each variant as above."""
        check_format(audio_format)
        model = await default(model, DESCRIBE)
        given = bool(reference or example)
        run = await asyncio.to_thread(
            lambda: music.open_described(
                model=model, description=description, text_weight=text_weight, seconds=seconds, count=count, seed=seed,
                reference=music.sound(path=reference, example=example, param="reference") if given else None,
                temperature=temperature, steps=steps, top_k=top_k, cfg=cfg,
            )
        )  # fmt: skip
        return await delivered(run, audio_format)

    with gr.Row(visible=False):
        outputs = [gr.File(label="sounds", file_count="multiple"), gr.JSON(label="parameters")]
        continuing = [
            gr.File(label="recording", type="filepath"), gr.Textbox("", label="example"), gr.Textbox("", label="model"),
            gr.Textbox("beginning", label="prompt_part"), gr.Number(None, label="prompt_seconds"),
            gr.Textbox("none", label="guide"), *_numbers(), gr.Textbox("wav", label="audio_format"),
        ]  # fmt: skip
        describing = [
            gr.Textbox("", label="description"), gr.File(label="reference", type="filepath"),
            gr.Textbox("", label="example"), gr.Number(None, label="text_weight"), gr.Textbox("", label="model"),
            *_numbers(), gr.Textbox("wav", label="audio_format"),
        ]  # fmt: skip
        for endpoint, inputs, name in (
            (continue_music, continuing, "continue_music"),
            (make_music, describing, "music"),
        ):
            gr.Button().click(
                endpoint, inputs, outputs, api_name=name, concurrency_limit=settings.concurrency,
                concurrency_id="speak", show_progress="hidden",
            )  # fmt: skip


def _numbers() -> list[gr.Number]:
    return [gr.Number(None, label=name, precision=0 if name == "seed" else None) for name in _NUMBERS]
