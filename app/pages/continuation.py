"""Tab "Speech continuation": a recording, and how a model, or two side by side, go on from it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from app.continuation import LIMITS, PROMPT_SECONDS
from app.models import GO_ON
from app.pages import markup
from app.pages.relay import message, telling
from app.pages.shared import QUIET, chosen_seed, model_label, number_of
from app.services import Services
from app.speech import MAX_SEED, VoiceRef
from app.voices import STATEMENT

EXAMPLE, OWN = "Example", "Your own"


@dataclass(frozen=True)
class Prompt:
    """The controls of the prompt."""

    source: gr.Radio
    example: gr.Dropdown
    recording: gr.Audio
    consent: gr.Checkbox
    seconds: gr.Slider

    def inputs(self) -> list[Any]:
        """In the order of the handlers' arguments."""
        return [self.source, self.example, self.recording, self.consent, self.seconds]


@dataclass(frozen=True)
class Sampling:
    """The controls of the model."""

    seconds: gr.Slider
    temperature: gr.Slider
    text_temperature: gr.Slider
    steps: gr.Slider
    top_k: gr.Slider
    seed: gr.Number
    keep_seed: gr.Checkbox

    def inputs(self) -> list[Any]:
        """In the order of the handlers' arguments."""
        return [
            self.seconds, self.temperature, self.text_temperature, self.steps, self.top_k, self.seed, self.keep_seed
        ]  # fmt: skip


def build(demo: gr.Blocks, services: Services, channel: gr.HTML, visitor: gr.BrowserState) -> None:
    """Lay out the tab and connect its handlers; `channel` is the relay."""
    none = gr.HTML(html_template=markup.NO_CONTINUATION, js_on_load=None, elem_id="no-continuation", visible=False)
    with gr.Column(elem_id="continuation-tab") as everything:
        with gr.Row(elem_classes="studio", equal_height=False):
            with gr.Column(scale=7, min_width=320, elem_classes="sheet"):
                prompt = _prompt(services)
                with gr.Row(elem_classes="actions"):
                    start = gr.Button("Continue", variant="primary", elem_id="go-on", scale=3, min_width=120)
                    gr.Button("Stop", elem_id="go-on-stop", scale=1, min_width=90)
                gr.HTML(html_template=markup.CONTINUE_KEYS, js_on_load=None, elem_id="go-on-keys")
            with gr.Column(scale=5, min_width=300, elem_classes="side"):
                model = gr.Dropdown([], value=None, label="Model", elem_id="go-on-model", filterable=False)
                beside = gr.Checkbox(label="Beside the baseline", value=False, elem_id="beside")
                sampling = _sampling(services.settings.max_continuation_seconds)
        gr.HTML(html_template=markup.CONTINUATION, js_on_load=None, elem_id="continuation")
    known = gr.State([])  # what the list of models says, for the handlers below

    @telling(outputs=2, place="continuation")
    async def go_on(
        model: str,
        beside: bool,
        known: list[dict[str, Any]],
        seconds: float,
        temperature: float,
        text_temperature: float,
        steps: float,
        top_k: float,
        seed: float | None,
        keep_seed: bool,
        source: str,
        example: str,
        recording: str | None,
        consent: bool,
        prompt_seconds: float,
        token: str,
    ) -> tuple:
        """Check the request and open one run, or two of which the second waits; the script then streams them."""
        ref = await asyncio.to_thread(_chosen, services, source, example, recording, consent, token)
        seed = chosen_seed(seed, keep_seed)
        runs = []
        for one in _competitors(known, model, beside):
            run = services.open_continuation(
                model=one["id"], prompt=ref, prompt_seconds=prompt_seconds, seconds=seconds, seed=seed,
                temperature=temperature, text_temperature=text_temperature, steps=None if one["discrete"] else steps,
                top_k=top_k or None if one["discrete"] else None, after=runs[-1] if runs else None,
            )  # fmt: skip
            runs.append(run)
        titles = [one["title"] for one in _competitors(known, model, beside)]
        told = [
            {"run": run.id, "request": run.request.parameters(), "title": title}
            for run, title in zip(runs, titles, strict=True)
        ]
        return message("runs", place="continuation", runs=told), seed

    start.click(
        go_on,
        [model, beside, known, *sampling.inputs(), *prompt.inputs(), visitor],
        [channel, sampling.seed],
        trigger_mode="multiple",
        **QUIET,
    )
    _connect_models(demo, services, known, model, beside, sampling, everything, none)
    _connect_prompt(services, channel, prompt)
    _connect_reuse(channel, model, prompt, sampling)


def _prompt(services: Services) -> Prompt:
    settings = services.settings
    examples = [(f"{one.name} · {one.title}", one.name) for one in services.prompts.all()]
    source = gr.Radio([EXAMPLE, OWN], value=EXAMPLE, label="Prompt", elem_id="prompt-source")
    example = gr.Dropdown(examples, value=examples[0][1], label="Example recording", elem_id="prompt-example")
    with gr.Column(visible=False, elem_classes="own-voice") as own:
        recording = gr.Audio(
            label=f"Recording of one voice, {settings.min_prompt_seconds:g} to {settings.max_prompt_seconds:g} s",
            sources=["upload", "microphone"],
            type="filepath",
            elem_id="prompt-recording",
            buttons=[],
        )
        consent = gr.Checkbox(label=STATEMENT, elem_id="prompt-consent")
    low, _ = LIMITS["prompt_seconds"]
    seconds = gr.Slider(
        low, 5.0, value=PROMPT_SECONDS, step=0.5, label="Seconds of it to go on from", elem_id="prompt-seconds"
    )
    source.change(
        lambda chosen: (gr.update(visible=chosen == EXAMPLE), gr.update(visible=chosen == OWN)),
        [source],
        [example, own],
        **QUIET,
    )
    return Prompt(source, example, recording, consent, seconds)


def _sampling(longest: float) -> Sampling:
    seconds = gr.Slider(1, longest, value=min(27.0, longest), step=1, label="Seconds of new speech", elem_id="seconds")
    with gr.Accordion("Sampling", open=False, elem_id="go-on-sampling"):
        temperature = gr.Slider(
            *LIMITS["temperature"], value=0.8, step=0.05, label="Temperature of the sound", elem_id="go-on-temperature"
        )
        text_temperature = gr.Slider(
            *LIMITS["text_temperature"], value=0.8, step=0.05, label="Temperature of the words",
            elem_id="text-temperature",
        )  # fmt: skip
        steps = gr.Slider(*LIMITS["steps"], value=1, step=1, label="Steps", elem_id="go-on-steps")
        top_k = gr.Slider(
            0, LIMITS["top_k"][1], value=0, step=1, label="Codes to choose from (top k), 0 for all", elem_id="top-k",
            visible=False,
        )  # fmt: skip
        seed = gr.Number(label="Seed", value=None, precision=0, minimum=0, maximum=MAX_SEED, elem_id="go-on-seed")
        keep_seed = gr.Checkbox(label="Keep this seed", value=False, elem_id="go-on-keep-seed")
    return Sampling(seconds, temperature, text_temperature, steps, top_k, seed, keep_seed)


def _chosen(
    services: Services, source: str, example: str, recording: str | None, consent: bool, token: str
) -> VoiceRef:  # fmt: skip
    if source == OWN:
        return services.own_prompt(recording, consent=consent, visitor=token, source="page")
    return services.prompts.get(example)


def _competitors(known: list[dict[str, Any]], model: str, beside: bool) -> list[dict[str, Any]]:
    """The chosen model, and the first of the other kind beside it: latents against codes."""
    chosen = next((one for one in known if one["id"] == model), None)
    if chosen is None:
        return [{"id": model, "discrete": False, "title": model}]  # refused with the sentence for unknown models
    other = next((one for one in known if one["discrete"] != chosen["discrete"]), None)
    return [chosen, other] if beside and other else [chosen]


def _connect_models(
    demo: gr.Blocks,
    services: Services,
    known: gr.State,
    model: gr.Dropdown,
    beside: gr.Checkbox,
    sampling: Sampling,
    everything: gr.Column,
    none: gr.HTML,
) -> None:
    """Fill the list when the page opens; the controls follow the chosen model."""
    controls = [sampling.temperature, sampling.text_temperature, sampling.steps, sampling.top_k]

    def shown(models: list[dict[str, Any]], chosen: str, beside: bool) -> tuple:
        discrete = {one["discrete"] for one in _competitors(models, chosen, beside)}
        return gr.update(visible=False in discrete), gr.update(visible=True in discrete)

    def follow(models: list[dict[str, Any]], chosen: str, beside: bool) -> tuple:
        one = _competitors(models, chosen, False)[0]
        steps, top_k = shown(models, chosen, beside)
        if one["discrete"]:
            top_k["value"] = one.get("top_k") or 0
        else:
            steps["value"] = one.get("steps", 1)
        return one.get("temperature", 0.8), one.get("text_temperature", 0.8), steps, top_k

    async def open_page() -> tuple:
        await asyncio.to_thread(services.synthesizer.wait)
        models = await asyncio.to_thread(services.synthesizer.catalogue.of, GO_ON)
        if not models:
            return [], *[gr.skip()] * 6, gr.update(visible=False), gr.update(visible=True)
        first = await asyncio.to_thread(services.synthesizer.catalogue.default, GO_ON)
        kinds = {one["discrete"] for one in models}
        listed = gr.update(choices=[(model_label(one), one["id"]) for one in models], value=first)
        switch = gr.update(visible=len(kinds) == 2)
        return models, listed, switch, *follow(models, first, False), gr.update(visible=True), gr.update(visible=False)

    demo.load(open_page, None, [known, model, beside, *controls, everything, none], **QUIET)
    model.input(follow, [known, model, beside], controls, **QUIET)
    beside.input(shown, [known, model, beside], [sampling.steps, sampling.top_k], **QUIET)


def _connect_prompt(services: Services, channel: gr.HTML, prompt: Prompt) -> None:
    """The slider of the prompt's length goes as far as the recording."""

    @telling(outputs=2, place="continuation")
    async def measure(source: str, example: str, recording: str | None, seconds: float) -> tuple:
        path = Path(recording) if recording and source == OWN else None
        if source == EXAMPLE:
            path = services.prompts.get(example).path
        if path is None:
            return gr.skip(), gr.skip()
        length = await asyncio.to_thread(services.synthesizer.check_reference, path)
        longest = max(LIMITS["prompt_seconds"][0] + 0.5, int(2 * length) / 2)
        return gr.skip(), gr.update(maximum=longest, value=min(seconds, longest))

    gr.on(
        [prompt.source.change, prompt.example.change, prompt.recording.change],
        measure,
        [prompt.source, prompt.example, prompt.recording, prompt.seconds],
        [channel, prompt.seconds],
        **QUIET,
    )


def _connect_reuse(channel: gr.HTML, model: gr.Dropdown, prompt: Prompt, sampling: Sampling) -> None:
    """Put the parameters of a continuation of the history back into the controls."""

    async def reuse(event: gr.EventData) -> tuple:
        data = event._data if isinstance(event._data, dict) else {}
        if data.get("task") != "speech_continuation":
            return (gr.skip(),) * 11

        example = isinstance(data.get("prompt"), str) and not data.get("cloned")
        return (
            data["model"] if isinstance(data.get("model"), str) else gr.skip(),
            EXAMPLE if example else OWN,
            data["prompt"] if example else gr.skip(),
            number_of(data, "prompt_seconds"),
            number_of(data, "asked_seconds"),
            number_of(data, "temperature"),
            number_of(data, "text_temperature"),
            number_of(data, "steps"),
            data.get("top_k") or 0,
            number_of(data, "seed"),
            True,
        )

    channel.reuse(
        reuse,
        None,
        [model, prompt.source, prompt.example, prompt.seconds, *sampling.inputs()],
        **QUIET,
    )
