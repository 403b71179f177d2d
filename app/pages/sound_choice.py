"""Controls for a sound that music starts from or shall be like: an example, a visitor's own, or a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.music import OWN_PIECE, RESULT_PREFIX
from app.pages.relay import telling
from app.pages.shared import QUIET
from app.services import Services
from app.speech import VoiceRef

NOTHING, EXAMPLE, OWN, RESULT = "None", "Example", "Your own", "A result"
TITLE_CHARACTERS = 80


@dataclass(frozen=True)
class SoundChoice:
    """The controls, and the reading of their values."""

    services: Services
    param: str
    source: gr.Radio
    example: gr.Dropdown
    recording: gr.Audio
    result: gr.Textbox
    result_id: gr.State

    def inputs(self) -> list[Any]:
        """In the order of `chosen`'s arguments."""
        return [self.source, self.example, self.recording, self.result_id]

    def named(self) -> list[Any]:
        """Those that a name sets; see `again`."""
        return [self.source, self.example, self.result_id]

    @staticmethod
    def again(name: str) -> tuple:
        """The values of `named` for a sound by the name that a kept clip has of it; empty is none."""
        result = name.startswith(RESULT_PREFIX)
        example = bool(name) and not result and name != OWN_PIECE
        source = RESULT if result else EXAMPLE if example else OWN if name else NOTHING
        return source, name if example else gr.skip(), name if result else gr.skip()

    def chosen(self, source: str, example: str, recording: str | None, result: str) -> VoiceRef | None:
        """The sound that is chosen; None where there shall be none.

        Raises:
            UserError: there is none, or it is gone.
        """
        if source == NOTHING:
            return None
        if source == RESULT:
            return self.services.music.result(result or "", self.param)
        return self.services.music.sound(
            example=example if source == EXAMPLE else "", path=recording if source == OWN else None, param=self.param
        )


def build(services: Services, prefix: str, label: str, *, optional: bool, param: str) -> SoundChoice:
    """Lay out the controls; `optional` adds the choice of no sound, which is then the first."""
    settings = services.settings
    sources = [*([NOTHING] if optional else []), EXAMPLE, OWN, RESULT]
    examples = [(f"{one.name} · {one.title}", one.name) for one in services.music.prompts.all()]
    first = sources[0]
    source = gr.Radio(sources, value=first, label=label, elem_id=f"{prefix}-source")
    example = gr.Dropdown(
        examples, value=examples[0][1], label="Example piece", elem_id=f"{prefix}-example", visible=first == EXAMPLE
    )
    recording = gr.Audio(
        label=f"Any sound, 1 to {settings.max_music_prompt_seconds:g} s",
        sources=["upload", "microphone"],
        type="filepath",
        elem_id=f"{prefix}-recording",
        elem_classes="own-sound",
        buttons=[],
        visible=False,
    )
    result = gr.Textbox(
        "None yet: press one of the buttons beside a result.", label="Result", interactive=False, lines=1,
        elem_id=f"{prefix}-result", visible=False,
    )  # fmt: skip
    source.change(
        lambda chosen: tuple(gr.update(visible=chosen == kind) for kind in (EXAMPLE, OWN, RESULT)),
        [source],
        [example, recording, result],
        **QUIET,
    )
    return SoundChoice(services, param, source, example, recording, result, gr.State(""))


def connect_hand_over(
    channel: gr.HTML, tabs: gr.Tabs, place: str, task: str, choice: SoundChoice, more: dict[Any, Any]
) -> None:
    """A result that a script hands over to a task opens its tab and is chosen there.

    Args:
        channel: the relay.
        tabs: of the page.
        place: id of the task's tab.
        task: by its name in the message.
        choice: where the result is chosen.
        more: components and the values that they get with it.
    """

    @telling(outputs=5 + len(more), place=place)
    async def take(event: gr.EventData) -> tuple:
        data = event._data if isinstance(event._data, dict) else {}
        clip_id = data.get("clip")
        if data.get("to") != task or not isinstance(clip_id, str):
            return (gr.skip(),) * (5 + len(more))
        info = choice.services.clip(clip_id).info
        name = str(info.get("description") or info.get("text") or f"After {info.get('prompt', 'a sound')}")
        told = f"{name[:TITLE_CHARACTERS]} · {info['seconds']:.1f} s · seed {info.get('seed', '–')}"
        return gr.skip(), gr.Tabs(selected=place), RESULT, told, clip_id, *more.values()

    channel.hand_over(  # pyright: ignore[reportAttributeAccessIssue]  # an event of the relay's script
        take, None, [channel, tabs, choice.source, choice.result, choice.result_id, *more], **QUIET
    )
