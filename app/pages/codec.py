"""Tab "Codec": a sound before and after the autoencoder."""

from __future__ import annotations

import asyncio
from pathlib import Path

import gradio as gr

from app.errors import UserError
from app.pages import markup
from app.pages.relay import message, telling
from app.services import Services


def build(services: Services, channel: gr.HTML) -> None:
    """Lay out the tab and connect its handler; `channel` is the relay."""
    settings = services.settings
    with gr.Row(elem_classes="studio", equal_height=False):
        with gr.Column(scale=5, min_width=300, elem_classes="side"):
            sound = gr.Audio(
                label=f"Sound, up to {settings.max_codec_seconds:g} s",
                sources=["upload", "microphone"],
                type="filepath",
                elem_id="codec-sound",
                buttons=[],
            )
            run = gr.Button("Send through the codec", variant="primary", elem_id="codec-run")
        with gr.Column(scale=7, min_width=320, elem_classes="sheet"):
            gr.HTML(html_template=markup.COMPARE, js_on_load=None, elem_id="compare")

    @telling(outputs=1)
    async def reconstruct(sound: str | None) -> dict:
        """Encode and decode; both sounds are kept as clips that the script draws."""
        if not sound:
            raise UserError("Upload or record a sound first.", param="codec")
        try:
            return await asyncio.to_thread(_reconstruct, services, Path(sound))
        except UserError as error:
            error.param = "codec"
            raise

    run.click(
        reconstruct,
        [sound],
        [channel],
        concurrency_limit=settings.concurrency,
        concurrency_id="codec",
        show_progress="hidden",
        api_visibility="private",
    )


def _reconstruct(services: Services, sound: Path) -> dict:
    services.synthesizer.wait()
    result = services.synthesizer.reconstruct(sound)
    figures = result.figures()
    info = {"model": services.settings.default_codec, **figures}
    original = services.clips.put(result.original, result.sample_rate, {**info, "text": "original", "synthetic": False})
    rebuilt = services.clips.put(result.reconstructed, result.sample_rate, {**info, "text": "after the codec"})
    return message("codec", original=original.id, reconstructed=rebuilt.id, **figures)
