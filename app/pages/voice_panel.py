"""The choice of a voice: presets, a recording with consent, or voices that this visitor saved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.pages.relay import message, telling
from app.services import Services
from app.speech import VoiceRef
from app.voices import STATEMENT

PRESET, RECORDING, SAVED = "Preset", "Your own", "Saved"


@dataclass(frozen=True)
class VoicePanel:
    """Components and functions that the tab needs."""

    source: gr.Radio
    preset: gr.Dropdown
    recording: gr.Audio
    consent: gr.Checkbox
    saved: gr.Dropdown
    voice: Callable[..., VoiceRef]
    list_saved: Callable[..., Any]

    def choice(self) -> list[Any]:
        """Inputs that `voice` takes, followed by the visitor's token."""
        return [self.source, self.preset, self.recording, self.consent, self.saved]


def build(services: Services, channel: gr.HTML, visitor: gr.BrowserState) -> VoicePanel:
    """Lay out the panel and connect it; `channel` is the relay."""
    settings = services.settings
    with gr.Group(elem_id="voice", elem_classes="voice"):
        source = gr.Radio([PRESET, RECORDING, SAVED], value=PRESET, label="Voice", elem_id="voice-source")
        preset = gr.Dropdown(
            [settings.default_voice], value=settings.default_voice, label="Preset voice", elem_id="preset"
        )
        with gr.Column(visible=False, elem_classes="own-voice") as own_voice:
            recording = gr.Audio(
                label=f"Recording, {settings.min_prompt_seconds:g} to {settings.max_prompt_seconds:g} s",
                sources=["upload", "microphone"],
                type="filepath",
                elem_id="recording",
                buttons=[],
            )
            consent = gr.Checkbox(label=STATEMENT, elem_id="consent")
            with gr.Row(elem_classes="save-row"):
                name = gr.Textbox(
                    label="Name", placeholder="Name, to keep this voice", show_label=False, elem_id="voice-name",
                    max_lines=1, min_width=140, scale=2,
                )  # fmt: skip
                save = gr.Button("Save voice", size="sm", elem_id="save-voice", min_width=90)
        with gr.Column(visible=False, elem_classes="saved-voice") as saved_voice:
            saved = gr.Dropdown([], value=None, label="Saved voice", elem_id="saved")
            delete = gr.Button("Delete this voice", size="sm", elem_id="delete-voice")

    def pick(source: str, preset: str, recording: str, consent: bool, saved: str, token: str) -> VoiceRef:
        if source == RECORDING:
            return services.voices.from_recording(recording, consent=consent, visitor=token, source="page")
        return services.voices.saved(saved) if source == SAVED else services.voices.preset(preset)

    def choices(token: str, value: str | None = None) -> Any:
        voices = services.voices.of(token)
        ids = [voice.id for voice in voices]
        value = value if value in ids else (ids[-1] if ids else None)
        return gr.update(choices=[(f"{voice.name} · {voice.seconds:.0f} s", voice.id) for voice in voices], value=value)

    async def list_saved(token: str) -> Any:
        return await asyncio.to_thread(choices, token)

    @telling(outputs=3)
    async def save_voice(name: str, recording: str, consent: bool, token: str) -> tuple:
        voice = await asyncio.to_thread(
            services.voices.save, name, recording, consent=consent, visitor=token, source="page"
        )
        return message("status", message=f"{voice.name} is saved."), choices(token, voice.id), ""

    @telling(outputs=2)
    async def delete_voice(saved: str, token: str) -> tuple:
        await asyncio.to_thread(services.voices.delete, saved or "", token)
        return message("status", message="The voice is deleted."), choices(token)

    def show(source: str) -> tuple:
        return tuple(gr.update(visible=source == name) for name in (PRESET, RECORDING, SAVED))

    quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    source.change(show, [source], [preset, own_voice, saved_voice], **quiet)
    save.click(save_voice, [name, recording, consent, visitor], [channel, saved, name], **quiet)
    delete.click(delete_voice, [saved, visitor], [channel, saved], **quiet)
    return VoicePanel(source, preset, recording, consent, saved, pick, list_saved)
