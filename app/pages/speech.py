"""Tab "Text to speech"."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.engine import Report
from app.errors import UserError
from app.pages import markup, voice_panel
from app.pages.relay import as_error, message, telling
from app.pages.shared import number_of
from app.pages.voice_panel import VoicePanel
from app.services import Services
from app.speech import LIMITS, MAX_SEED


@dataclass(frozen=True)
class Sampling:
    """The controls of the sampler."""

    temperature: gr.Slider
    steps: gr.Slider
    cfg: gr.Slider
    speed: gr.Slider
    seed: gr.Number
    keep_seed: gr.Checkbox

    def inputs(self) -> list[Any]:
        """In the order of the handlers' arguments."""
        return [self.temperature, self.steps, self.cfg, self.speed, self.seed, self.keep_seed]


def build(demo: gr.Blocks, services: Services, channel: gr.HTML, visitor: gr.BrowserState) -> None:
    """Lay out the tab and connect its handlers; `channel` is the relay."""
    settings = services.settings
    with gr.Row(elem_classes="studio", equal_height=False):
        with gr.Column(scale=7, min_width=320, elem_classes="sheet"):
            text = gr.Textbox(
                label="Text to speak",
                placeholder="Write what you want to hear. [pause 0.5s] makes a pause.",
                lines=7,
                max_lines=14,
                elem_id="text",
            )
            gr.HTML(html_template=markup.COUNTER, js_on_load=None, elem_id="text-foot")
            with gr.Row(elem_classes="actions"):
                speak = gr.Button("Speak", variant="primary", elem_id="speak", scale=3, min_width=120)
                gr.Button("Stop", elem_id="stop", scale=1, min_width=90, interactive=True)
            gr.HTML(html_template=markup.EXAMPLES, js_on_load=None, elem_id="example-strip")
        with gr.Column(scale=5, min_width=300, elem_classes="side"):
            model = gr.Dropdown(
                [settings.default_model], value=settings.default_model, label="Model", elem_id="model", filterable=False
            )
            panel = voice_panel.build(services, channel, visitor)
            sampling = _sampling()
    gr.HTML(html_template=markup.PLAYER, js_on_load=None, elem_id="player")
    gr.HTML(html_template=markup.HISTORY, js_on_load=None, elem_id="history")

    @telling(outputs=2)
    async def start(
        text: str,
        model: str,
        temperature: float,
        steps: float,
        cfg: float,
        speed: float,
        seed: float | None,
        keep_seed: bool,
        *choice: Any,
    ) -> tuple:
        """Check the request and open a run; the script then streams it."""
        voice = await asyncio.to_thread(panel.voice, *choice)
        run = services.open_run(
            model=model,
            text=text or "",
            voice=voice,
            temperature=temperature,
            steps=steps,
            cfg=cfg,
            speed=speed,
            seed=seed if keep_seed else None,
        )
        return message("run", run=run.id, request=run.request.parameters()), run.request.seed

    gr.on(
        [speak.click],
        start,
        [text, model, *sampling.inputs(), *panel.choice(), visitor],
        [channel, sampling.seed],
        queue=False,
        show_progress="hidden",
        trigger_mode="multiple",
        api_visibility="private",
    )
    _connect_models(demo, services, channel, model, panel, sampling, visitor)
    _connect_reuse(channel, text, model, panel, sampling)


def _sampling() -> Sampling:
    with gr.Accordion("Sampling", open=False, elem_id="sampling"):
        speed = gr.Slider(*_range("speed"), value=1.0, step=0.05, label="Speed", elem_id="speed")
        temperature = gr.Slider(
            *_range("temperature"), value=0.7, step=0.05, label="Temperature", elem_id="temperature"
        )
        steps = gr.Slider(*_range("steps"), value=1, step=1, label="Steps", elem_id="steps")
        cfg = gr.Slider(*_range("cfg"), value=1.0, step=0.1, label="Guidance (CFG)", elem_id="cfg")
        with gr.Row(elem_classes="seed-row"):
            seed = gr.Number(
                label="Seed", value=None, precision=0, minimum=0, maximum=MAX_SEED, elem_id="seed", min_width=120
            )
            dice = gr.Button("New seed", elem_id="dice", size="sm", min_width=60)
        keep_seed = gr.Checkbox(label="Keep this seed", value=False, elem_id="keep-seed")
    dice.click(
        lambda: (secrets.randbelow(MAX_SEED + 1), True),
        None,
        [seed, keep_seed],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )
    return Sampling(temperature, steps, cfg, speed, seed, keep_seed)


def _range(name: str) -> tuple[float, float]:
    low, high = LIMITS[name]
    return low, high


def _connect_models(
    demo: gr.Blocks,
    services: Services,
    channel: gr.HTML,
    model: gr.Dropdown,
    panel: VoicePanel,
    sampling: Sampling,
    visitor: gr.BrowserState,
) -> None:
    """Fill the lists when the page opens, and again when another model is chosen."""
    synthesizer, settings = services.synthesizer, services.settings
    controls = [sampling.temperature, sampling.steps, sampling.cfg, sampling.speed]

    def updates(chosen: str, voices: list[dict[str, Any]], preferred: str) -> tuple:
        defaults = synthesizer.defaults(chosen)
        names = [voice["name"] for voice in voices]
        speed = (
            gr.update(interactive=True, info=None)
            if defaults["has_speed"]
            else gr.update(value=1.0, interactive=False, info="This model speaks at its own pace.")
        )
        return (
            gr.update(
                choices=[(_voice_label(v), v["name"]) for v in voices],
                value=preferred if preferred in names else names[0],
            ),
            defaults["temperature"],
            defaults["steps"],
            defaults["cfg"],
            speed,
        )

    @telling(outputs=8)
    async def open_page(token: str) -> tuple:
        """What a new visit needs: models, voices, defaults and the voices that this visitor saved."""
        token = token or secrets.token_urlsafe(24)
        await asyncio.to_thread(synthesizer.wait)
        models = [info for info in await asyncio.to_thread(synthesizer.catalogue.all) if info["task"] == "tts"]
        chosen = settings.default_model
        known = gr.update(choices=[(_model_label(info), info["id"]) for info in models], value=chosen)
        try:
            voices = await asyncio.to_thread(synthesizer.voices, chosen)
        except UserError as error:  # the other models may still work
            return message("ready", limit=settings.max_text_chars, error=error.message), token, known, *[gr.skip()] * 5
        ready = message("ready", limit=settings.max_text_chars)
        return ready, token, known, *updates(chosen, voices, settings.default_voice)

    demo.load(
        open_page,
        [visitor],
        [channel, visitor, model, panel.preset, *controls],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    ).then(panel.list_saved, [visitor], [panel.saved], queue=False, show_progress="hidden", api_visibility="private")

    async def choose(chosen: str, preset: str) -> Any:
        """Load a model, telling how far its download is; the controls then follow the model."""
        async for told in _loading(lambda report: synthesizer.voices(chosen, report)):
            if isinstance(told, list):
                ready = message("status", message=synthesizer.notice(chosen) or f"{chosen} is ready.", fraction=None)
                yield (ready, *updates(chosen, told, preset))
            else:
                yield (told, *[gr.skip()] * 5)

    model.input(
        choose,
        [model, panel.preset],
        [channel, panel.preset, *controls],
        show_progress="hidden",
        concurrency_limit=4,
        trigger_mode="always_last",
        api_visibility="private",
    )


async def _loading(load: Callable[[Report], list[dict[str, Any]]]) -> AsyncIterator[Any]:
    """Run `load(report)` in a thread; yield messages while it works, then its result or an error message."""
    loop = asyncio.get_running_loop()
    news: asyncio.Queue[Any] = asyncio.Queue()

    def report(text: str, fraction: float | None) -> None:
        loop.call_soon_threadsafe(news.put_nowait, (text, fraction))

    reporter: Report = report
    yield message("status", message="Loading the model…", fraction=None)
    work = asyncio.ensure_future(asyncio.to_thread(load, reporter))
    work.add_done_callback(lambda _: news.put_nowait(None))
    while (item := await news.get()) is not None:
        while not news.empty() and (later := news.get_nowait()) is not None:
            item = later  # only the latest state is worth showing
        yield message("status", message=item[0], fraction=item[1])
        if work.done():
            break
        await asyncio.sleep(0.1)
    try:
        yield await work
    except Exception as error:
        yield as_error(error)


def _connect_reuse(
    channel: gr.HTML, text: gr.Textbox, model: gr.Dropdown, panel: VoicePanel, sampling: Sampling
) -> None:
    """Put the parameters of a clip of the history or of an example back into the controls."""

    async def reuse(event: gr.EventData) -> tuple:
        data = event._data if isinstance(event._data, dict) else {}
        if not isinstance(data.get("text"), str) or data.get("task"):  # another tab's
            return (gr.skip(),) * 10

        voice = data.get("voice")
        preset = isinstance(voice, str) and not data.get("cloned")
        return (
            data["text"],
            gr.skip() if not isinstance(data.get("model"), str) else data["model"],
            gr.update(value=voice) if preset else gr.skip(),
            voice_panel.PRESET if preset else gr.skip(),
            number_of(data, "temperature"),
            number_of(data, "steps"),
            number_of(data, "cfg"),
            number_of(data, "speed"),
            number_of(data, "seed"),
            True,
        )

    channel.reuse(
        reuse,
        None,
        [text, model, panel.preset, panel.source, *sampling.inputs()],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )


def _voice_label(voice: dict[str, Any]) -> str:
    return f"{voice['name']} · {voice['description']}" if voice.get("description") else voice["name"]


def _model_label(info: dict[str, Any]) -> str:
    size = info.get("parameters")
    parts = [info["title"], f"{size / 1e6:.0f} M" if size else "", info["source"]]
    return " · ".join(part for part in parts if part)
