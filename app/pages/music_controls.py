"""The controls that both tabs of music have: model, variants, length, steps, sampling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.music import NEW_SECONDS, music_limits
from app.pages.shared import QUIET, model_label, number_of
from app.services import Services
from app.speech import MAX_SEED

MOST_SHOWN_STEPS = 20  # of consistency heads; more are for the API


@dataclass(frozen=True)
class MusicControls:
    """The controls, in the order of the handlers' arguments."""

    model: gr.Dropdown
    count: gr.Slider
    seconds: gr.Slider
    steps: gr.Slider
    cfg: gr.Slider
    temperature: gr.Slider
    top_k: gr.Slider
    seed: gr.Number
    keep_seed: gr.Checkbox
    known: gr.State  # what the list of models says

    def inputs(self) -> list[Any]:
        """For handlers that make music; see `asked`."""
        return [
            self.known, self.model, self.count, self.seconds, self.steps, self.cfg, self.temperature, self.top_k
        ]  # fmt: skip


def asked(
    known: list[dict[str, Any]], model: str, count: float, seconds: float, steps: float, cfg: float,
    temperature: float, top_k: float,
) -> dict[str, Any]:  # fmt: skip
    """The values of `MusicControls.inputs` as a request: heads that draw codes have no steps, the others no top k."""
    discrete = any(one["id"] == model and one["discrete"] for one in known)
    return {
        "model": model, "count": count, "seconds": seconds, "temperature": temperature,
        "steps": None if discrete else steps, "top_k": (top_k or None) if discrete else None, "cfg": cfg,
    }  # fmt: skip


def build(services: Services, task: str, prefix: str, *, guided: str) -> MusicControls:
    """Lay out the controls; `guided` is the label of the guidance."""
    limits = music_limits(services.settings)
    low, longest = limits["seconds"]
    model = gr.Dropdown([], value=None, label="Model", elem_id=f"{prefix}-model", filterable=False)
    seconds = gr.Slider(
        low, longest, value=min(NEW_SECONDS[task], longest), step=1, label="Seconds of new music",
        elem_id=f"{prefix}-seconds",
    )  # fmt: skip
    most = limits["count"][1]
    count = gr.Slider(
        1, most, value=1, step=1, label="Variants, made at once", elem_id=f"{prefix}-count", visible=most > 1
    )
    steps = gr.Slider(*limits["steps"], value=4, step=1, label="Steps", elem_id=f"{prefix}-steps")
    cfg = gr.Slider(*limits["cfg"], value=1.0, step=0.1, label=guided, elem_id=f"{prefix}-cfg")
    with gr.Accordion("Sampling", open=False, elem_id=f"{prefix}-sampling", elem_classes="sampling"):
        temperature = gr.Slider(
            *limits["temperature"], value=1.0, step=0.05, label="Temperature", elem_id=f"{prefix}-temperature"
        )
        top_k = gr.Slider(
            0, limits["top_k"][1], value=0, step=1, label="Codes to choose from (top k), 0 for all",
            elem_id=f"{prefix}-top-k", visible=False,
        )  # fmt: skip
        seed = gr.Number(label="Seed", value=None, precision=0, minimum=0, maximum=MAX_SEED, elem_id=f"{prefix}-seed")
        keep_seed = gr.Checkbox(label="Keep this seed", value=False, elem_id=f"{prefix}-keep-seed")
    return MusicControls(model, count, seconds, steps, cfg, temperature, top_k, seed, keep_seed, gr.State([]))


def connect_reuse(
    channel: gr.HTML, task: str, controls: MusicControls, targets: list[Any],
    values: Callable[[dict[str, Any]], tuple],
) -> None:  # fmt: skip
    """Put the parameters of a row of the history back into the controls.

    Args:
        channel: the relay.
        task: whose rows they are.
        controls: of both tabs.
        targets: the tab's own controls.
        values: theirs, of a row.
    """
    both = [
        controls.model, controls.count, controls.seconds, controls.steps, controls.temperature, controls.top_k,
        controls.cfg, controls.seed, controls.keep_seed,
    ]  # fmt: skip

    async def reuse(event: gr.EventData) -> tuple:
        data = event._data if isinstance(event._data, dict) else {}
        if data.get("task") != task:
            return (gr.skip(),) * (len(both) + len(targets))
        return (
            data["model"] if isinstance(data.get("model"), str) else gr.skip(),
            1,  # the seed is that of one variant
            *(number_of(data, name) for name in ("asked_seconds", "steps", "temperature")),
            data.get("top_k") or 0,
            *(number_of(data, name) for name in ("cfg", "seed")),
            True,
            *values(data),
        )

    channel.reuse(reuse, None, [*both, *targets], **QUIET)


def connect_models(
    demo: gr.Blocks, services: Services, task: str, controls: MusicControls, everything: gr.Column, none: gr.HTML,
    guidable: gr.Checkbox | None = None,
) -> None:  # fmt: skip
    """Fill the list when the page opens; the controls follow the chosen model, and many steps are warned of.

    Args:
        demo: the page.
        services: of the server.
        task: whose models are listed.
        controls: to fill.
        everything: shown where there is a model.
        none: shown where there is none.
        guidable: shown for models that have a CLAP model to hear a prompt with.
    """
    longest = services.settings.max_music_steps
    followers = [controls.steps, controls.temperature, controls.top_k]
    followers += [controls.cfg] if guidable is None else [guidable]

    def advice(head: str, steps: float) -> str | None:
        return next(iter(services.synthesizer.music.step_notices(head, int(steps))), None)

    def follow(known: list[dict[str, Any]], chosen: str) -> tuple:
        one = next((one for one in known if one["id"] == chosen), None)
        if one is None:
            return (gr.skip(),) * len(followers)
        most = MOST_SHOWN_STEPS if one["head"] == "consistency" else longest
        steps = gr.update(
            value=one["steps"], maximum=max(min(most, longest), one["steps"]), visible=not one["discrete"],
            info=advice(one["head"], one["steps"]),
        )  # fmt: skip
        top_k = gr.update(value=one["top_k"] or 0, visible=one["discrete"])
        last = one["described_cfg"] if guidable is None else gr.update(visible=one["described"])
        return steps, one["temperature"], top_k, last

    def warn(known: list[dict[str, Any]], chosen: str, steps: float) -> Any:
        head = next((one["head"] for one in known if one["id"] == chosen), "")
        return gr.update(info=advice(head, steps))

    async def open_page() -> tuple:
        await asyncio.to_thread(services.synthesizer.wait)
        models = await asyncio.to_thread(services.synthesizer.catalogue.of, task)
        if not models:
            skipped = (gr.skip(),) * len(followers)
            return [], gr.skip(), *skipped, gr.update(visible=False), gr.update(visible=True)
        first = await asyncio.to_thread(services.synthesizer.catalogue.default, task)
        listed = gr.update(choices=[(model_label(one), one["id"]) for one in models], value=first)
        return models, listed, *follow(models, first), gr.update(visible=True), gr.update(visible=False)

    demo.load(open_page, None, [controls.known, controls.model, *followers, everything, none], **QUIET)
    controls.model.input(follow, [controls.known, controls.model], followers, **QUIET)
    controls.steps.change(warn, [controls.known, controls.model, controls.steps], [controls.steps], **QUIET)
