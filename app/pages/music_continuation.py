"""Tab "Music continuation": a piece, and one or several ways in which a model goes on from it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import gradio as gr

from app.continuation import PROMPT_SECONDS
from app.music import CONTINUE, music_limits
from app.pages import music_controls, music_markup, sound_choice
from app.pages.music_controls import MusicControls, asked
from app.pages.relay import message, telling
from app.pages.shared import QUIET, chosen_seed, number_of
from app.pages.sound_choice import OWN, RESULT, SoundChoice, connect_hand_over
from app.services import Services

PLACE = "music-continuation"
PARTS = [("Its beginning", "beginning"), ("Its end", "end"), ("All of it", "all")]


def build(demo: gr.Blocks, services: Services, channel: gr.HTML, tabs: gr.Tabs) -> None:
    """Lay out the tab and connect its handlers; `channel` is the relay."""
    settings = services.settings
    none = gr.HTML(html_template=music_markup.NO_MODEL, js_on_load=None, elem_id="mc-none", visible=False)
    with gr.Column(elem_id="mc-tab", elem_classes="music-tab") as everything:
        with gr.Row(elem_classes="studio", equal_height=False):
            with gr.Column(scale=7, min_width=320, elem_classes="sheet"):
                choice = sound_choice.build(services, "mc", "Prompt", optional=False, param="prompt")
                part = gr.Radio(PARTS, value="beginning", label="What is kept of it", elem_id="mc-part")
                low, _ = music_limits(settings)["prompt_seconds"]
                kept = gr.Slider(
                    low, 8.0, value=PROMPT_SECONDS, step=0.5, label="Seconds that are kept", elem_id="mc-kept"
                )
                with gr.Row(elem_classes="hear"):
                    hear = gr.Button("Hear the prompt", elem_id="mc-hear", size="sm", min_width=120)
                    rebuilt = gr.Button("Through the codec", elem_id="mc-codec", size="sm", min_width=120)
                gr.HTML(html_template=music_markup.PROMPT, js_on_load=None, elem_id="mc-prompt")
                with gr.Row(elem_classes="actions"):
                    start = gr.Button("Continue", variant="primary", elem_id="mc-go", scale=3, min_width=120)
                    gr.Button("Stop", elem_id="mc-stop", scale=1, min_width=90)
                gr.HTML(html_template=music_markup.CONTINUE_KEYS, js_on_load=None, elem_id="mc-keys")
            with gr.Column(scale=5, min_width=300, elem_classes="side"):
                controls = music_controls.build(services, CONTINUE, "mc", guided="Guidance by the prompt (CFG)")
                guide = gr.Checkbox(label="Guide by the prompt's CLAP embedding", value=False, elem_id="mc-guide")
        players = music_markup.stage(settings.max_music_variants, "Continuations")
        gr.HTML(html_template=players, js_on_load=None, elem_id="mc-stage", elem_classes="music-stage")

    @telling(outputs=2, place=PLACE)
    async def go_on(guided: bool, part: str, kept: float, seed: float | None, keep: bool, *values: Any) -> tuple:
        """Check the request and open a run; the script then streams it."""
        sampling, sound = values[:8], values[8:]
        request = asked(*sampling)
        if not guided:
            request["cfg"] = None
        seed = chosen_seed(seed, keep, settings.max_music_variants)
        run = services.music.open_continuation(
            prompt=await asyncio.to_thread(choice.chosen, *sound), prompt_part=part, prompt_seconds=kept,
            guide="prompt" if guided else "none", seed=seed, **request,
        )  # fmt: skip
        return message("runs", place=PLACE, runs=[{"run": run.id, "request": run.request.parameters()}]), seed

    start.click(
        go_on,
        [guide, part, kept, controls.seed, controls.keep_seed, *controls.inputs(), *choice.inputs()],
        [channel, controls.seed],
        trigger_mode="multiple",
        **QUIET,
    )
    for button, through in ((hear, False), (rebuilt, True)):
        _connect_hearing(services, channel, button, choice, controls, part, kept, through)
    part.change(lambda chosen: gr.update(visible=chosen != "all"), [part], [kept], **QUIET)
    guide.change(lambda on: gr.update(visible=on), [guide], [controls.cfg], **QUIET)
    demo.load(lambda on: gr.update(visible=on), [guide], [controls.cfg], **QUIET)
    music_controls.connect_models(demo, services, CONTINUE, controls, everything, none, guidable=guide)
    _connect_length(services, channel, choice, kept)
    connect_hand_over(channel, tabs, PLACE, CONTINUE, choice, {part: "all"})
    music_controls.connect_reuse(
        channel, CONTINUE, controls, [*choice.named(), part, kept, guide],
        lambda row: (
            *choice.again(str(row.get("prompt", ""))), row.get("prompt_part", "beginning"),
            number_of(row, "prompt_seconds"), row.get("guide") == "prompt",
        ),
    )  # fmt: skip


def _connect_hearing(
    services: Services, channel: gr.HTML, button: gr.Button, choice: SoundChoice, controls: MusicControls,
    part: gr.Radio, kept: gr.Slider, through: bool,
) -> None:  # fmt: skip
    """The prompt as the model gets it, by itself or beside what the model's codec makes of it."""

    @telling(outputs=1, place=PLACE)
    async def hear(model: str, part: str, kept: float, *sound: Any) -> dict:
        prompt = await asyncio.to_thread(choice.chosen, *sound)
        assert prompt is not None, "a prompt is always chosen"
        heard = await asyncio.to_thread(
            services.music.hear, prompt=prompt, model=model, through_codec=through, prompt_part=part,
            prompt_seconds=kept,
        )  # fmt: skip
        rebuilt = heard.rebuilt.id if heard.rebuilt else None
        return message("prompt", place=PLACE, original=heard.original.id, reconstructed=rebuilt, **heard.figures)

    button.click(
        hear, [controls.model, part, kept, *choice.inputs()], [channel], show_progress="hidden",
        api_visibility="private", concurrency_id="codec", concurrency_limit=services.settings.concurrency,
    )  # fmt: skip


def _connect_length(services: Services, channel: gr.HTML, choice: SoundChoice, kept: gr.Slider) -> None:
    """The slider of the prompt's length goes as far as the sound."""

    @telling(outputs=2, place=PLACE)
    async def measure(kept: float, *sound: Any) -> tuple:
        source, _, recording, result = sound
        if (source == OWN and not recording) or (source == RESULT and not result):
            return gr.skip(), gr.skip()
        prompt = await asyncio.to_thread(choice.chosen, *sound)
        assert prompt is not None and prompt.path is not None
        length = await asyncio.to_thread(services.synthesizer.music.seconds_of, Path(prompt.path), "The prompt")
        longest = max(1.5, int(2 * length) / 2)
        return gr.skip(), gr.update(maximum=longest, value=min(kept, longest))

    gr.on(
        [choice.source.change, choice.example.change, choice.recording.change, choice.result.change],
        measure,
        [kept, *choice.inputs()],
        [channel, kept],
        **QUIET,
    )
