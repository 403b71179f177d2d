"""Tab "CLAP-to-music": music of a description, of a sound that it shall be like, or of both."""

from __future__ import annotations

import asyncio
from typing import Any

import gradio as gr

from app.music import DESCRIBE
from app.pages import music_controls, music_markup, sound_choice
from app.pages.music_controls import asked
from app.pages.relay import message, telling
from app.pages.shared import QUIET, chosen_seed, number_of
from app.pages.sound_choice import NOTHING, connect_hand_over
from app.services import Services

PLACE = "clap-to-music"


def build(demo: gr.Blocks, services: Services, channel: gr.HTML, tabs: gr.Tabs) -> None:
    """Lay out the tab and connect its handlers; `channel` is the relay."""
    settings = services.settings
    none = gr.HTML(html_template=music_markup.NO_MODEL, js_on_load=None, elem_id="cm-none", visible=False)
    with gr.Column(elem_id="cm-tab", elem_classes="music-tab") as everything:
        with gr.Row(elem_classes="studio", equal_height=False):
            with gr.Column(scale=7, min_width=320, elem_classes="sheet"):
                text = gr.Textbox(
                    label="What the music is to be",
                    placeholder="A slow, calm waltz for piano and violin.",
                    lines=3,
                    max_lines=8,
                    elem_id="cm-text",
                )
                gr.HTML(html_template=music_markup.CAPTION_CHIPS, js_on_load=None, elem_id="cm-captions")
                label = "A sound that it shall be like"
                choice = sound_choice.build(services, "cm", label, optional=True, param="reference")
                weight = gr.Slider(
                    0, 1, value=0.5, step=0.05, label="Share of the description, beside the sound",
                    elem_id="cm-weight", visible=False,
                )  # fmt: skip
                with gr.Row(elem_classes="actions"):
                    start = gr.Button("Make music", variant="primary", elem_id="cm-go", scale=3, min_width=120)
                    gr.Button("Stop", elem_id="cm-stop", scale=1, min_width=90)
                gr.HTML(html_template=music_markup.DESCRIBE_KEYS, js_on_load=None, elem_id="cm-keys")
            with gr.Column(scale=5, min_width=300, elem_classes="side"):
                controls = music_controls.build(services, DESCRIBE, "cm", guided="Guidance (CFG)")
        players = music_markup.stage(settings.max_music_variants, "Music")
        gr.HTML(html_template=players, js_on_load=None, elem_id="cm-stage", elem_classes="music-stage")

    @telling(outputs=2, place=PLACE)
    async def make(text: str, weight: float, seed: float | None, keep: bool, *values: Any) -> tuple:
        """Check the request and open a run; the script then streams it."""
        sampling, sound = values[:8], values[8:]
        seed = chosen_seed(seed, keep, settings.max_music_variants)
        run = services.music.open_described(
            description=text or "", reference=await asyncio.to_thread(choice.chosen, *sound), text_weight=weight,
            seed=seed, **asked(*sampling),
        )  # fmt: skip
        return message("runs", place=PLACE, runs=[{"run": run.id, "request": run.request.parameters()}]), seed

    start.click(
        make,
        [text, weight, controls.seed, controls.keep_seed, *controls.inputs(), *choice.inputs()],
        [channel, controls.seed],
        trigger_mode="multiple",
        **QUIET,
    )
    choice.source.change(lambda chosen: gr.update(visible=chosen != NOTHING), [choice.source], [weight], **QUIET)
    music_controls.connect_models(demo, services, DESCRIBE, controls, everything, none)
    connect_hand_over(channel, tabs, PLACE, DESCRIBE, choice, {})
    music_controls.connect_reuse(
        channel, DESCRIBE, controls, [text, *choice.named(), weight],
        lambda row: (
            str(row.get("description", "")), *choice.again(str(row.get("reference") or "")),
            number_of(row, "text_weight"),
        ),
    )  # fmt: skip
